# SPDX-License-Identifier: MIT
# Holds a text against the grammar and the habits of Prometheus' text format 0.0.4, for machines without promtool: every family has HELP and TYPE once, in this order, before its
# samples and in one piece; names and labels are well-formed; counters end in _total and nothing else does; no sample comes twice.

function complain(what) {
	printf "line %d: %s: %s\n", NR, what, $0
	failed = 1
}

/^# HELP / {
	if ($3 !~ /^[a-zA-Z_:][a-zA-Z0-9_:]*$/)
		complain("a bad name")
	if ($3 in helped)
		complain("HELP twice")
	if (NF < 5 || $0 !~ /\.$/)
		complain("HELP is no sentence")
	helped[$3] = 1
	family = $3
	next
}

/^# TYPE / {
	if ($3 != family || $3 in type)
		complain("TYPE without its HELP before it")
	if ($4 != "counter" && $4 != "gauge")
		complain("an unknown type")
	if (($4 == "counter") != ($3 ~ /_total$/))
		complain("counters, and only they, end in _total")
	type[$3] = $4
	next
}

{
	if ($0 !~ /^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-z_]+="([^"\\]|\\["\\n])*",?)+\})? -?[0-9]+(\.[0-9]+)?$/)
		complain("not a sample")
	name = $0
	sub(/[{ ].*/, "", name)
	if (name != family || !(name in type))
		complain("a sample outside its family")
	key = $0
	sub(/ [^ ]*$/, "", key)
	if (key in seen)
		complain("a sample twice")
	seen[key] = 1
	samples++
}

END {
	if (samples < 10) {
		print "only " samples + 0 " samples"
		failed = 1
	}
	exit failed
}
