# Runs the sample under blocking-detector, and prints which of its five blocking calls the tool found.
program=$1
detector=$(dirname "$program")/../tools/blocking-detector/blocking-detector
[ -x "$detector" ] || { echo "$detector is not built"; exit 1; }
report=$(mktemp)
trap 'rm -f "$report"' EXIT
"$detector" run -o text -o json:"$report" -- "$program"
status=$?
for class in sleep network lock process cpu; do
    line=$(grep -A400 "\"class\": \"$class\"" "$report" | grep -m1 -A4 '"location"' | sed -n 's/.*"line": \([0-9]*\).*/\1/p')
    printf '%-9s found at find_the_blocker.cpp:%s\n' "$class:" "${line:-nowhere}"
done
echo "blocking-detector has ended with $status"
((status == 66))
