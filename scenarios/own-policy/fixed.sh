# A policy in five lines: one observation a line comes in, one number of replicas goes out. This one does not even look.
#
#   {"time_s":60.0,"seed":"…","replicas":{"wanted":3,"ready":3,…},"arrivals_per_s":298.4,"queue":0,"in_flight":7,…}
while read -r observation; do
  echo 3
done
