#!/usr/bin/env bash
# sentence: bridge mode: a frame whose VLAN tag the kernel carries beside it leaves with that tag, and only a service of that VLAN or of all takes it
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=tagged.sh
. "$E2E/tagged.sh"

tags_stay bridge
