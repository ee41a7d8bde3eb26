#!/usr/bin/env bash
# Install SLURM, munge and a database from Debian's packages, for "make test-slurm"; starts
# nothing.
set -euo pipefail

packages=(slurmctld slurmd slurm-client slurmdbd munge mariadb-server iproute2)
if dpkg-query --show "${packages[@]}" >/dev/null 2>&1; then exit 0; fi
if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
  echo "install_slurm.sh: error: a SLURM of one's own needs root on Debian or Ubuntu;" \
    "run 'make test-slurm' in a container of one." >&2
  exit 2
fi
export DEBIAN_FRONTEND=noninteractive
# Daemons that Debian would start as services are started by the tests instead.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
