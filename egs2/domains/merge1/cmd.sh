# shellcheck shell=bash
# How jobs run: on this machine (run.pl) or on a cluster (slurm.pl, conf/slurm.conf).
# Choose with "cmd_backend=slurm ./run.sh" or by editing the next line.
cmd_backend=${cmd_backend:-local}

case $cmd_backend in
  local)
    export train_cmd="run.pl"  # data, merging, scoring
    export cuda_cmd="run.pl"   # training; "--gpu N" is added
    export decode_cmd="run.pl" # decoding
    ;;
  slurm)
    # Memory a CPU, enough for Whisper base; SLURM kills what takes more than it asked for.
    export train_cmd="slurm.pl --mem 4G"
    export cuda_cmd="slurm.pl --mem 8G"
    export decode_cmd="slurm.pl --mem 4G"
    ;;
  *)
    echo "cmd.sh: error: cmd_backend must be local or slurm; got '$cmd_backend'." >&2
    exit 2
    ;;
esac
