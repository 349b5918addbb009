#!/bin/bash
# The Debian 12 packages that Lockstep needs, in one place, by what for. Installs those that are missing; says nothing
# and takes no time when all are there.
#
#   packaging/deps.sh [runtime|build|test|quickstart|sanitize]...
#                                          install these sets (default: all but quickstart, which is a part of test)
#   packaging/deps.sh --list [set]...      print the names, install nothing
set -euo pipefail

# What a built lockstepd links to. The build set pulls these in too; a machine that only runs Lockstep needs no more.
runtime=(liburing2 librocksdb7.8 libsqlite3-0 libpugixml1v5 libspdlog1.10 libfmt9 libisal2 libssl3
  libpam0g)
build=(g++ cmake ninja-build pkg-config ccache mold liburing-dev librocksdb-dev libsqlite3-dev libboost-dev
  libpugixml-dev libspdlog-dev libfmt-dev libisal-dev libtomlplusplus-dev nlohmann-json3-dev libcli11-dev libgtest-dev
  libgmock-dev libbenchmark-dev libssl-dev libpam0g-dev)
# The stock clients that the external tests run against lockstepd.
test=(python3 python3-venv git curl openssl
  libnbd-bin python3-libnbd fuse3 nbdkit qemu-utils qemu-system-x86 fio sblim-wbemcli
  xfsprogs e2fsprogs util-linux procps universal-ctags)
# What ./quickstart shows it with: a part of the test set, so that nobody waits for QEMU to see a snapshot.
quickstart=(python3 python3-venv libnbd-bin python3-libnbd fuse3 sblim-wbemcli e2fsprogs util-linux mount)
# Another compiler, the fuzzing engine and the sanitizers' symbolizer.
sanitize=(clang llvm libclang-rt-14-dev)

list_only=no
[[ ${1:-} == --list ]] && { list_only=yes; shift; }
sets=("$@")
(( ${#sets[@]} )) || sets=(runtime build test sanitize)

wanted=()
for set in "${sets[@]}"; do
  case $set in
    runtime) wanted+=("${runtime[@]}") ;;
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    quickstart) wanted+=("${quickstart[@]}") ;;
    sanitize) wanted+=("${sanitize[@]}") ;;
    *) echo "deps.sh: no such set: $set (runtime, build, test, quickstart, sanitize)" >&2; exit 2 ;;
  esac
done
[[ $list_only == yes ]] && { printf '%s\n' "${wanted[@]}"; exit 0; }

missing=()
for package in "${wanted[@]}"; do
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) == installed ]] || missing+=("$package")
done
(( ${#missing[@]} )) || exit 0

as_root=()
if (( EUID != 0 )); then
  command -v sudo >/dev/null || { echo "deps.sh: needs root or sudo to install: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
