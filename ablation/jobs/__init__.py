"""The jobs behind the command: do the work, say how it goes, write down what came of it."""
