#!/bin/sh
# Customises the root file system at $1 that all hosts share (mmdebstrap's --customize-hook; see image.py).
set -eu
cd "$1"

useradd --root "$1" --create-home --shell /bin/bash lab
chroot . usermod --append --groups systemd-journal lab
echo 'lab ALL=(ALL) NOPASSWD:ALL' > etc/sudoers.d/lab
chmod 440 etc/sudoers.d/lab
install -d -m 700 home/lab/.ssh
chroot . chown -R lab:lab /home/lab

# What each host gets for itself is written when it is first booted (provision.py).
rm -f etc/ssh/ssh_host_* etc/resolv.conf
: > etc/machine-id
touch etc/default/locale
mkdir -p srv/data

# Many connections at once, from deploys and fault injectors, must not be throttled.
cat > etc/ssh/sshd_config.d/lab.conf <<'EOF'
PasswordAuthentication no
UseDNS no
MaxStartups 100:30:200
MaxSessions 50
PrintMotd no
EOF

# Nothing that needs a console, the internet or a real disk.
for unit in console-getty.service getty@.service getty.target ssh.socket systemd-timesyncd.service systemd-resolved.service \
  systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer motd-news.timer; do
  ln -sf /dev/null "etc/systemd/system/$unit"
done
ln -sf /lib/systemd/system/multi-user.target etc/systemd/system/default.target
mkdir -p etc/systemd/system/multi-user.target.wants etc/systemd/system/sysinit.target.wants
ln -sf /lib/systemd/system/ssh.service etc/systemd/system/multi-user.target.wants/

mkdir -p etc/systemd/journald.conf.d etc/systemd/system.conf.d
printf '[Journal]\nStorage=persistent\nSystemMaxUse=64M\nRateLimitBurst=0\n' > etc/systemd/journald.conf.d/lab.conf
printf '[Manager]\nDefaultTimeoutStopSec=10s\n' > etc/systemd/system.conf.d/lab.conf

cat > etc/systemd/system/lab-net.service <<'EOF'
[Unit]
Description=Static addresses of the lab host
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target network.target network-online.target ssh.service
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip -force -batch /etc/lab-net.batch
EOF
ln -sf ../lab-net.service etc/systemd/system/sysinit.target.wants/

# cgroup v1: nspawn mounts the resource controllers read-only; reopen this host's own, else MemoryMax= is not enforced.
cat > usr/local/sbin/lab-init <<'EOF'
#!/bin/sh
for controller in memory cpu cpuacct pids; do
  if [ -e "/sys/fs/cgroup/$controller/cgroup.procs" ]; then
    mount -o remount,bind,rw "/sys/fs/cgroup/$controller" 2>/dev/null
  fi
done
exec /lib/systemd/systemd "$@"
EOF
chmod 755 usr/local/sbin/lab-init
