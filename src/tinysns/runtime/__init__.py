"""What every process of ours needs from its machine: settings, tasks, signals, systemd, the journal."""
