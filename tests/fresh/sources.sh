# shellcheck shell=bash
# Prints `URI SUITE` for every Debian 12 source this machine uses.
debian_sources() {
    local file line uris suites uri suite
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [[ -f $file ]] || continue
        sed -En 's/^deb +(\[[^]]*\] +)?([^ ]+) +(bookworm[^ ]*) .*/\2 \3/p' "$file"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ -f $file ]] || continue
        while IFS= read -r line || [[ -n $line ]]; do
            case $line in
                URIs:*) uris=${line#URIs:} ;;
                Suites:*)
                    suites=${line#Suites:}
                    for uri in ${uris:-}; do
                        for suite in $suites; do
                            [[ $suite != bookworm* ]] || echo "$uri $suite"
                        done
                    done
                    ;;
            esac
        done <"$file"
    done
}
