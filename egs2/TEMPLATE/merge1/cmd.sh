# shellcheck shell=bash
# How jobs run: on this machine (local), or on a cluster (slurm; docs/slurm.md).
# Choose with "cmd_backend=slurm ./run.sh" or by editing the next line.
cmd_backend=${cmd_backend:-local}

case $cmd_backend in
  local)
    export train_cmd="run.pl"  # data, merging, scoring
    export cuda_cmd="run.pl"   # training; "--gpu N" is added
    export decode_cmd="run.pl" # decoding
    ;;
  slurm) # conf/slurm.conf
    # Memory a CPU, enough for Whisper base; SLURM kills what takes more than it asked for.
    # At its time limit a training goes on from its last step, decoding from its last batch.
    # USR1 tells a training to save itself: two minutes before, for a large one takes long.
    export train_cmd="../../../local/slurm.py --mem 4G"
    export cuda_cmd="../../../local/slurm.pl --mem 8G --resume 50 --sbatch --signal=B:USR1@120"
    export decode_cmd="../../../local/slurm.py --mem 4G --resume 5"
    ;;
  slurm.pl | queue.pl) # Kaldi's; conf/slurm.conf or a conf/queue.conf of yours
    export train_cmd="$cmd_backend --mem 4G"
    export cuda_cmd="$cmd_backend --mem 8G"
    export decode_cmd="$cmd_backend --mem 4G"
    ;;
  *)
    echo "cmd.sh: error: cmd_backend must be local, slurm, slurm.pl or queue.pl;" \
      "got '$cmd_backend'." >&2
    exit 2
    ;;
esac
