#!/bin/sh
# Limits of the target under control groups v2, on a kernel of its own: boots Debian's in QEMU, with the
# release build of xmlperf and nothing else, and looks at what it says.
#
#   tests/cgroup-v2.sh            20 s; needs target/release/xmlperf
#
# Installs QEMU and busybox by apt-get where they are missing; the kernel is fetched, not installed.
set -eu
cd "$(dirname "$0")/.."
xmlperf=${CARGO_TARGET_DIR:-target}/release/xmlperf
[ -x "$xmlperf" ] || { echo "there is no $xmlperf: cargo build --release" >&2; exit 2; }
command -v qemu-system-x86_64 >/dev/null && command -v cpio >/dev/null && [ -x /bin/busybox ] || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends qemu-system-x86 busybox-static cpio
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
(cd "$work" && apt-get download -qq "$kernel" 2>/dev/null && dpkg -x ./*.deb kernel)

root=$work/root
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/root"
cp /bin/busybox "$xmlperf" "$root/bin"
ldd "$xmlperf" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
cat >"$root/root/memory.toml" <<'TOML'
[target]
start = "xmlperf serve --port {port} --leak 4MiB --workers 1"
ready = "/xml-compare-api/health"
memory = "64 MiB"
cpus = "shared"
[sampling]
launches = 1
[[scenario]]
name = "leaks"
pairs = 10
load = { model = "closed", requests = 200 }
TOML
sed 's/^memory.*/cpu-quota = 0.3/; s/ --leak 4MiB//; s/requests = 200/duration = "3 s"/' \
    "$root/root/memory.toml" >"$root/root/quota.toml"
sed 's/^memory/cpu-quota = 0.5\n&/' "$root/root/memory.toml" >"$root/root/both.toml"
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t tmpfs none /tmp
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
cd /root
run() {
    xmlperf run --plain --lane time --config "$1.toml" >/tmp/said 2>&1
    code=$?
    sed "s/^/$place $1: /" /tmp/said
    echo "$place $1: exit $code"
}
place=root
run memory
run quota
# As in a session of a user: in a group with processes, which can hand nothing on.
mkdir /sys/fs/cgroup/session
echo $$ >/sys/fs/cgroup/session/cgroup.procs
echo "+memory +cpu" >/sys/fs/cgroup/cgroup.subtree_control
place=session
run memory
run quota
run both
echo "session is $(cat /sys/fs/cgroup/session/cgroup.type)"
echo "left: $(find /sys/fs/cgroup -mindepth 1 -type d)"
poweroff -f
INIT
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) | gzip -1 >"$work/initrd"
timeout 300 qemu-system-x86_64 -m 1500 -smp 2 -nographic -no-reboot \
    -kernel "$work"/kernel/boot/vmlinuz-* -initrd "$work/initrd" \
    -append "console=ttyS0 loglevel=0 panic=-1" | tr -d '\r' >"$work/log"

fails=0
expect() {
    grep -qF -- "$1" "$work/log" || { echo "not said: $1" >&2; fails=1; }
}
for place in root session; do
    expect "$place memory: could not measure — head in leaks: the target was killed: it is out of memory, of which it may take 64.0 MiB"
    expect "$place memory: exit 3"
    expect "$place quota:   limits of the target: processors 0.3 by a control group (v2)"
    expect "$place quota: exit 0"
    grep -q "$place quota:.*throttled for [12]\.[0-9]* s" "$work/log" || {
        echo "$place: the quota was not used up" >&2
        fails=1
    }
done
expect "session both:   limits of the target: memory 64.0 MiB by a control group (v2), processors 0.5 by a control group"
expect "session both: exit 3"
expect "session is domain"
expect "left: /sys/fs/cgroup/session"
[ $fails = 0 ] || { cat "$work/log"; exit 1; }
echo "limits of memory and processors hold under control groups v2"
