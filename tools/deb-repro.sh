#!/bin/sh
# The packages twice, by reprotest, once with everything around the build
# changed: environment, path, locale, time and time zone, umask, home, number of
# processors, order of files ...; their bytes have to be the same.
# Four variations need what a machine may not give (a mount of its own, a name
# of its own, a second account, another kernel's name); each is tried first,
# and what is refused is named.
# usage: deb-repro.sh [FOLDER]
set -eu
out=${1:-build/deb-repro}
rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
tar=$(sh tools/dist.sh)
tar -x -C "$out" -f "$tar"
src=$(ls -d "$out"/muster-*)
cp -R "$src/packaging/debian" "$src/debian"
sh "$src/packaging/debian/publisher.sh" "$src/debian"

varied=environment,build_path,aslr,num_cpus,time,home,locales,exec_path,timezone,umask
refused=
cd "$out"
for v in fileordering domain_host user_group kernel; do
	if reprotest --variations="-all,+$v" 'echo tried >tried' tried >"try-$v.log" 2>&1 &&
	    ! grep -q IGNORING "try-$v.log"; then
		varied=$varied,$v
	else
		refused="$refused $v"
	fi
done
echo "varied: $varied"
echo "refused by this machine:${refused:- none}"
for v in $refused; do
	echo "  $v: $(grep -v '^$' "try-$v.log" | grep -e IGNORING -e rror | tail -n 1 | cut -c1-150)"
done
reprotest --variations="-all,+$(echo "$varied" | sed 's/,/,+/g')" --store-dir="$out/both" \
    -s "$src" 'DEB_BUILD_OPTIONS="nocheck parallel=2" dpkg-buildpackage -us -uc -b' \
    '../*.deb' >"$out/reprotest.log" 2>&1 || {
	tail -n 60 "$out/reprotest.log" >&2
	exit 1
}
# what was let go there was not varied, whatever a trial has said
if grep IGNORING "$out/reprotest.log" >&2; then
	echo "deb-repro: not varied, though it was to be" >&2
	exit 1
fi
rm -rf "$src"
n=0
for f in "$out"/both/control/*.deb; do
	cmp "$f" "$out/both/experiment-1/${f##*/}"
	n=$((n + 1))
done
sed -n '/^[0-9a-f]\{64\} /p' "$out/reprotest.log" | sort -u
echo "$n packages are the same in both builds"
[ "$n" -ge 8 ]
