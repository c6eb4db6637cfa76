#!/bin/sh
# The packages twice, by reprotest, once with everything around the build
# changed: environment, path, locale, time and time zone, umask, home, number of
# processors, order of files ...; their bytes have to be the same.
# Four variations need what a machine may not give (a mount of its own, a name
# of its own, another kernel's name, a second account); each is tried first, the
# last beside those that were given, and what is refused is named.
# The account is made for it and removed, so only root has that variation.
# usage: deb-repro.sh [FOLDER]
set -eu
out=${1:-build/deb-repro}
rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
tar=$(sh tools/dist.sh)
# what a build leaves lies beside its source, and belongs to its account
mkdir "$out/source"
tar -x -C "$out/source" -f "$tar"
src=$(ls -d "$out"/source/muster-*)
cp -R "$src/packaging/debian" "$src/debian"
sh "$src/packaging/debian/publisher.sh" "$src/debian"

varied=environment,build_path,aslr,num_cpus,time,home,locales,exec_path,timezone,umask
refused=

# What reprotest asks of sudo, for root: another account, by setpriv.  The file
# system of disorderfs stays root's, whose alone /dev/fuse may be, and is all's.
mkdir "$out/bin"
cat >"$out/bin/sudo" <<'END_OF_SUDO'
#!/bin/sh
user= group=
while :; do
	case $1 in
	-h) shift 2 ;;
	-E) shift ;;
	-u) user=$2 && shift 2 ;;
	-g) group=$2 && shift 2 ;;
	*) break ;;
	esac
done
case " $* " in
*" /usr/bin/disorderfs "*)
	while [ "$1" != /usr/bin/disorderfs ]; do shift; done
	shift
	exec /usr/bin/disorderfs --multi-user=yes "$@"
	;;
*" /bin/fusermount "*) user= ;;
esac
# within the build it is that account already
[ -n "$user" ] && [ "$(id -u)" = 0 ] || exec "$@"
exec setpriv --reuid "$user" --regid "${group:-$user}" --clear-groups "$@"
END_OF_SUDO
chmod +x "$out/bin/sudo"
account=
how=
if [ "$(id -u)" = 0 ]; then
	account=muster-repro-$$
	useradd --system --user-group --no-create-home --shell /usr/sbin/nologin "$account"
	trap 'userdel "$account"' EXIT
	trap 'exit 1' HUP INT TERM
	PATH=$out/bin:$PATH
	how=",user_group.available+=$account:$account"
fi
options() { # VARIATION...: with what reprotest needs for them
	echo "-all,+$(echo "$1" | sed 's/,/,+/g')" | sed "s/+user_group/&$how/
	    ${account:+s/+domain_host/&,domain_host.use_sudo=1/}"
}

cd "$out"
mkdir empty
given=
for v in fileordering domain_host kernel user_group; do
	all=$v
	[ "$v" != user_group ] || all=$v$given
	if reprotest --variations="$(options "$all")" -s empty 'echo tried >tried' tried >"try-$v.log" 2>&1 &&
	    ! grep -q IGNORING "try-$v.log"; then
		given=$given,$v
	else
		refused="$refused $v"
	fi
done
varied=$varied$given
echo "varied: $varied"
echo "refused by this machine:${refused:- none}"
for v in $refused; do
	echo "  $v: $(grep -v '^$' "try-$v.log" | grep -e IGNORING -e rror | tail -n 1 | cut -c1-150)"
done
reprotest --variations="$(options "$varied")" --store-dir="$out/both" -s "$out/source" \
    'cd muster-* && DEB_BUILD_OPTIONS="nocheck parallel=2" dpkg-buildpackage -us -uc -b' \
    '*.deb' >"$out/reprotest.log" 2>&1 || {
	tail -n 60 "$out/reprotest.log" >&2
	exit 1
}
# what was let go there was not varied, whatever a trial has said
if grep IGNORING "$out/reprotest.log" >&2; then
	echo "deb-repro: not varied, though it was to be" >&2
	exit 1
fi
rm -rf source
n=0
for f in "$out"/both/control/source-root/*.deb; do
	cmp "$f" "$out/both/experiment-1/source-root/${f##*/}"
	n=$((n + 1))
done
sed -n '/^[0-9a-f]\{64\} /p' "$out/reprotest.log" | sort -u
echo "$n packages are the same in both builds"
[ "$n" -ge 8 ]
