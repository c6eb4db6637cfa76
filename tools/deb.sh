#!/bin/sh
# Debian packages from the tarball that ./dev dist has made, without network.
# The tests are those of ./dev test; nothing of them is in a package.
# usage: deb.sh [FOLDER]; packages and lint.txt in FOLDER
# DEBFULLNAME, DEBEMAIL, HOMEPAGE and SECURITY_CONTACT are those of the publisher
# NETWORK=yes builds also where nothing keeps the build from the network
# BEFORE=PATCH builds once more with PATCH, as an earlier revision, into
# FOLDER/before: for an upgrade
set -eu
here=$PWD
out=${1:-build/deb}
# a namespace of its own, in which there is no network
alone=
if unshare -r -n true 2>/dev/null; then
	alone="unshare -r -n"
elif [ "${NETWORK:-no}" != yes ]; then
	echo "deb: no network namespace here, so nothing would keep the build from the network" >&2
	echo "deb: allow it user namespaces, or take such a build with NETWORK=yes" >&2
	exit 1
fi
tar=$(sh tools/dist.sh)
version=${tar##*/muster-}
version=${version%.tar.xz}

rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
cp "$tar" "$out/muster_$version.orig.tar.xz"
tar -x -C "$out" -f "$tar"
cd "$out/muster-$version"
cp -R packaging/debian debian
sh packaging/debian/publisher.sh debian
# the source outside of it: its files are the caller's
DEB_BUILD_OPTIONS="nocheck parallel=${JOBS:-2} ${DEB_BUILD_OPTIONS:-}" \
    $alone dpkg-buildpackage -us -uc >"$out/build.log" 2>&1 || {
	tail -n 40 "$out/build.log" >&2
	exit 1
}
if [ -n "${BEFORE:-}" ]; then
	sed -i "1s/([^)]*)/($version-0.1)/" debian/changelog
	patch -s -p1 <"$here/$BEFORE"
	rm debian/debhelper-build-stamp # what the patch changes is built anew
	DEB_BUILD_OPTIONS=nocheck $alone dpkg-buildpackage -us -uc -b -nc >"$out/before.log" 2>&1 || {
		tail -n 40 "$out/before.log" >&2
		exit 1
	}
	mkdir "$out/before"
	mv ../*-0.1_*.* "$out/before/"
fi
cd "$out"
rm -rf "muster-$version"
[ "${LINT:-yes}" = yes ] || exit 0
lintian --allow-root --tag-display-limit 0 --fail-on error,warning,info \
    --display-info ./*.changes >lint.txt 2>&1 || {
	cat lint.txt >&2
	exit 1
}
cat lint.txt
cd "$here"
ls -l "$out"/*.deb | awk '{ print $5, $NF }'
