#!/bin/sh
# The source as a tarball: what HEAD has, uPlot of the web page and its licence
# among it; the changelog of the packages has version and time of HEAD (see
# version.sh).  Of one commit it is the same, byte by byte, whoever makes
# it: names sorted, one owner, one time, modes without a umask.
# usage: dist.sh; prints the name of the tarball
set -eu
version=$(sh tools/version.sh)
name=muster-$version
out=build/dist
time=$(git log -1 --format=%ct HEAD)

rm -rf "${out:?}/$name"
mkdir -p "$out"
git archive --format=tar --prefix="$name/" HEAD | tar -x -C "$out"
sed -i -e "1s/([^)]*)/($version-1)/" \
    -e "s/^\( -- .*>  \).*/\1$(LC_ALL=C date -u -R -d "@$time")/" "$out/$name/packaging/debian/changelog"
tar -c -C "$out" --format=ustar --sort=name --mtime="@$time" --owner=0 --group=0 \
    --numeric-owner --mode=u+rwX,go+rX,go-w "$name" | xz -9 -T1 >"$out/$name.tar.xz.new"
mv "$out/$name.tar.xz.new" "$out/$name.tar.xz"
rm -rf "${out:?}/$name"
(cd "$out" && sha256sum "$name.tar.xz" >"$name.tar.xz.sha256")
echo "$out/$name.tar.xz"
