"""Who evaluates individuals: this process, others on this machine, or a cluster. One executor a file."""
