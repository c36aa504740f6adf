"""The lab: systemd-nspawn hosts with two networks and a data disk each, on one machine; standard library only."""
