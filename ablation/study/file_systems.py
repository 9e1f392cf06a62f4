"""Whether a folder is on a file system that several machines share."""

from __future__ import annotations

from pathlib import Path

import psutil

_NETWORK = {
    *(
        "nfs",
        "nfs4",
        "cifs",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
        "afpfs",
        "webdav",
        "davfs",
        "9p",
        "afs",
        "ncpfs",
        "virtiofs",
    ),
    *(
        "lustre",
        "gpfs",
        "beegfs",
        "ceph",
        "glusterfs",
        "gfs2",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "panfs",
        "wekafs",
        "moosefs",
    ),
    *("fuse.sshfs", "fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.juicefs"),
}


def on_network(path: Path) -> bool:
    """Return whether a file or folder, which need not exist yet, is on a network file system."""
    resolved = path.resolve()
    mounts = {Path(mount.mountpoint): mount for mount in psutil.disk_partitions(all=True)}  # later mounts hide earlier
    for folder in (resolved, *resolved.parents):
        if mount := mounts.get(folder):
            return mount.fstype.lower() in _NETWORK or "remote" in mount.opts.split(",")  # "remote" on Windows
    return False
