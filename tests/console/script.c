/* SPDX-License-Identifier: MIT */
/* See script.h. */
#include "tests/console/script.h"

#include <ctype.h>

static const struct {
	const char *name;
	bool seconds, variable, text, text_optional;
} words[WORDS] = {
	[EXPECT] = { .name = "expect", .seconds = true, .text = true },
	[MATCH] = { .name = "match", .seconds = true, .text = true },
	[CAPTURE] = { .name = "capture", .seconds = true, .variable = true, .text = true },
	[ABSENT] = { .name = "absent", .text = true },
	[MARK] = { .name = "mark" },
	[SEND] = { .name = "send", .text = true },
	[RUN] = { .name = "run", .text = true },
	[WAIT_EXIT] = { .name = "wait-exit", .seconds = true, .text = true, .text_optional = true },
	[STAMP] = { .name = "stamp", .variable = true },
	[NOTE] = { .name = "note", .text = true },
	[FATAL] = { .name = "fatal", .text = true },
	[ALLOW] = { .name = "allow", .text = true },
};

/* Escapes in place. Returns the size, or -1. */
static ssize_t unescape(char *text)
{
	static const char from[] = "nrte\\", to[] = "\n\r\t\033\\";
	char *out = text;

	for (const char *p = text; *p; p++) {
		const char *known;
		unsigned int value;

		if (*p != '\\') {
			*out++ = *p;
		} else if (p[1] == 'x' && isxdigit((unsigned char)p[2]) && isxdigit((unsigned char)p[3]) && sscanf(p + 2, "%2x", &value) == 1) {
			*out++ = (char)value;
			p += 3;
		} else if (p[1] && (known = strchr(from, p[1]))) {
			*out++ = to[known - from];
			p++;
		} else {
			return -1;
		}
	}
	return out - text;
}

static char *next_word(char **rest)
{
	char *word = *rest;

	*rest += strcspn(*rest, " \t");
	if (**rest)
		*(*rest)++ = '\0';
	*rest += strspn(*rest, " \t");
	return word;
}

static bool is_variable(const char *name)
{
	return isupper((unsigned char)*name) && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(name);
}

/* One line, without its newline. NULL, or why it is wrong. */
static const char *parse_line(char *line, struct instruction *i)
{
	char *rest = line, *end, *name = next_word(&rest);

	for (i->word = 0; i->word < WORDS && strcmp(words[i->word].name, name) != 0;)
		i->word++;
	if (i->word == WORDS)
		return "no such instruction";
	if (words[i->word].seconds) {
		const char *seconds = next_word(&rest);

		i->seconds = strtod(seconds, &end);
		if (end == seconds || *end || !(i->seconds > 0 && i->seconds <= 86400))
			return "seconds (more than 0) expected";
	}
	if (words[i->word].variable) {
		i->variable = next_word(&rest);
		if (!is_variable(i->variable))
			return "a name in capital letters expected";
	}
	if (!words[i->word].text)
		return *rest ? "nothing expected behind this" : NULL;
	i->text = *rest ? rest : NULL;
	if (!i->text)
		return words[i->word].text_optional ? NULL : "a text expected";
	if (i->word == SEND) {
		ssize_t size = unescape(i->text);

		if (size < 0)
			return "an unknown escape; known: \\n \\r \\t \\e \\\\ \\xHH";
		i->text_size = (size_t)size;
	}
	if (i->word == MATCH || i->word == CAPTURE) {
		if (regcomp(&i->regex, i->text, REG_EXTENDED | REG_NEWLINE))
			return "not an extended regular expression";
		i->has_regex = true;
	}
	return NULL;
}

errint_t script_parse(struct script *s, char *text, unsigned int *ret_line, const char **ret_wrong)
{
	char *rest = text, *line;

	*s = (struct script){ .buffer = text };
	*ret_line = 0;
	*ret_wrong = "out of memory";
	while ((line = strsep(&rest, "\n"))) {
		struct instruction *i;

		++*ret_line;
		line += strspn(line, " \t");
		if (!*line || *line == '#')
			continue;
		i = reallocarray(s->instructions, s->count + 1, sizeof(*i));
		if (!i)
			return -ENOMEM;
		s->instructions = i;
		i += s->count++;
		*i = (struct instruction){ .line = *ret_line };
		*ret_wrong = parse_line(line, i);
		if (*ret_wrong)
			return -EINVAL;
	}
	return 0;
}

void script_done(struct script *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->instructions[i].has_regex)
			regfree(&s->instructions[i].regex);
	free(s->instructions);
	free(s->buffer);
	*s = (struct script){ 0 };
}

const char *script_word(enum word w) { return words[w].name; }
