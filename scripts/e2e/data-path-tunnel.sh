#!/usr/bin/env bash
# sentence: a check by the data path finds a backend without the virtual IP, or without its end of the tunnel, that a check by its own address finds well
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=data-path.sh
. "$E2E/data-path.sh"

checks_take_the_data_path tunnel
