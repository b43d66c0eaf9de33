source "$(dirname "$0")/without-findings"
