"""The command line: profile, help and version."""

import subprocess
import sys

from tests.commands.running import ablation


def test_profile_prints_both_ladders_and_marks_disagreements(capsys):
    code, out, _ = ablation("profile", capsys=capsys)
    assert code == 0
    for exact in ("25,557,032", "4,089,184,256", "28,582,504", "4,455,531,264", "88,573,416", "15,354,729,472"):
        assert exact in out
    assert out.count("4.46 (!)") == 1 and out.count("4.49 (!)") == 1 and out.count("(!)") == 4
    assert "(!) BN to LN: the paper prints 4.46, we count 4.15" in out
    assert "(!) separate downsampling: the paper prints 4.49, we count 4.46" in out


def test_profile_of_a_custom_road(capsys):
    code, out, _ = ablation("profile", "depthwise", "kernel_size=7", "--size", "64", capsys=capsys)
    assert code == 0 and "kernel size 7" in out and "paper" not in out


def test_help_version_and_profile_do_not_import_torch():
    program = (
        "import sys; sys.argv = ['ablation', *sys.argv[1:]]\nfrom ablation.cli import main\ntry:\n main()\nfinally:\n"
    )
    program += (
        " heavy = {'torch', 'timm', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules)\n assert not heavy, heavy"
    )
    for option in ("--help", "--version", "profile"):
        done = subprocess.run([sys.executable, "-c", program, option], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout
