/* SPDX-License-Identifier: MIT */
/* Recipes; see recipe.h. */
#include "mkimage/recipe.h"
#include "common/io.h"

#define MAX_WORDS 7
#define MAX_PATH 1024

struct line {
	const char *recipe;		/* its path, for messages */
	unsigned int number;
	char *words[MAX_WORDS];
	size_t count;
	struct problem *problem;
};

static errint_t refuse(const struct line *l, const char *why)
{
	return problem_set(l->problem, -EINVAL, EXIT_CONFIG, "%s:%u: %s", l->recipe, l->number, why);
}

static errint_t add(struct recipe *r, const struct recipe_entry *e, struct problem *p)
{
	if (r->count == RECIPE_MAX_ENTRIES)
		return problem_set(p, -E2BIG, EXIT_CONFIG, "more than %d entries in the initrd", RECIPE_MAX_ENTRIES);
	if ((r->count & (r->count - 1)) == 0) {
		struct recipe_entry *larger = realloc(r->entries, MAX(2 * r->count, (size_t)1) * sizeof(*larger));
		if (!larger)
			return problem_set(p, -ENOMEM, EXIT_SOFTWARE, "out of memory");
		r->entries = larger;
	}
	r->entries[r->count++] = *e;
	return 0;
}

static void entry_done(struct recipe_entry *e)
{
	free(e->path);
	free(e->target);
	free(e->data);
}

/* Takes e's memory over, also on an error. */
static errint_t add_or_free(struct recipe *r, struct recipe_entry *e, struct problem *p)
{
	errint_t error = add(r, e, p);

	if (error < 0)
		entry_done(e);
	return error;
}

/* Without the leading '/'; NULL where a component is empty, "." or "..". */
static char *plain_path(const char *path)
{
	while (*path == '/')
		path++;
	if (strlen(path) >= MAX_PATH)
		return NULL;
	for (const char *p = path;;) {
		size_t n = strcspn(p, "/");
		if (n == 0 || n > 255 || (p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.'))))
			return NULL;
		if (p[n] == '\0')
			return strdup(path);
		p += n + 1;
	}
}

static errint_t parse_mode(const char *text, uint32_t *ret)
{
	uint32_t mode = 0;
	size_t n = strspn(text, "01234567");

	if (n == 0 || n > 5 || text[n])
		return -EINVAL;
	for (; *text; text++)
		mode = mode << 3 | (uint32_t)(*text - '0');
	*ret = mode;
	return mode > 07777 ? -EINVAL : 0;
}

/* SOURCE with its placeholder, which stands at the beginning; other paths are relative to the recipe's own folder (@INITRD@). */
static char *source_path(const char *source, const struct recipe_places *places)
{
	const char *const names[] = { "@GUEST@", "@INITRD@", "@ARCH@" };
	const char *const values[] = { places->guest, places->initrd, places->arch };
	_cleanup_free_ char *all = strdup(source[0] == '/' || source[0] == '@' ? "" : places->initrd);

	if (all && *all) {
		char *longer = io_format("%s/", all);
		free(all);
		all = longer;
	}
	while (all && *source) {
		size_t i = 0, n = 1;
		while (i < ARRAY_SIZE(names) && strncmp(source, names[i], strlen(names[i])) != 0)
			i++;
		bool known = i < ARRAY_SIZE(names);
		if (!known)
			n += strcspn(source + 1, "@");
		char *longer = known ? io_format("%s%s", all, values[i]) : io_format("%s%.*s", all, (int)n, source);
		source += known ? strlen(names[i]) : n;
		free(all);
		all = longer;
	}
	return steal_ptr(all);
}

static errint_t read_source(const struct line *l, const char *source, const struct recipe_places *places, struct recipe_entry *e)
{
	_cleanup_free_ char *path = source_path(source, places);
	errint_t error = path ? io_read_file(path, RECIPE_MAX_FILE, &e->data, &e->size) : -ENOMEM;

	if (error == -ENOENT && strstr(source, "@GUEST@"))
		return problem_set(l->problem, error, EXIT_NO_INPUT, "%s:%u: the guest program %s is not there: build it first (make guest), "
				   "or name its directory with --set guest=DIR", l->recipe, l->number, path);
	if (error < 0)
		return problem_set(l->problem, error, EXIT_NO_INPUT, "%s:%u: cannot read %s: %s", l->recipe, l->number, path ? path : source,
				   problem_reason(error));
	return 0;
}

static errint_t fill_node(const struct line *l, struct recipe_entry *e)
{
	uint64_t major, minor;

	if (strcmp(l->words[3], "c") != 0 && strcmp(l->words[3], "b") != 0)
		return refuse(l, "the kind of a device node is c or b");
	if (parse_number(l->words[4], 0, 4095, &major) < 0 || parse_number(l->words[5], 0, 1048575, &minor) < 0)
		return refuse(l, "device numbers are from 0 to 4095 and from 0 to 1048575");
	e->kind = l->words[3][0] == 'c' ? RECIPE_CHAR : RECIPE_BLOCK;
	e->major = (uint32_t)major;
	e->minor = (uint32_t)minor;
	return 0;
}

static errint_t fill_entry(const struct line *l, const struct recipe_places *places, struct recipe_entry *e)
{
	static const struct { const char *word, *form; size_t count; enum recipe_kind kind; } forms[] = {
		{ "dir", "dir PATH MODE", 3, RECIPE_DIR },
		{ "file", "file PATH MODE SOURCE", 4, RECIPE_FILE },
		{ "link", "link PATH TARGET", 3, RECIPE_LINK },
		{ "nod", "nod PATH MODE c|b MAJOR MINOR", 6, RECIPE_CHAR },
	};
	size_t i = 0;

	while (i < ARRAY_SIZE(forms) && strcmp(forms[i].word, l->words[0]) != 0)
		i++;
	if (i == ARRAY_SIZE(forms))
		return refuse(l, "a line begins with dir, file, link or nod");
	if (l->count != forms[i].count)
		return problem_set(l->problem, -EINVAL, EXIT_CONFIG, "%s:%u: expected '%s'", l->recipe, l->number, forms[i].form);
	e->kind = forms[i].kind;
	e->line = l->number;
	e->path = plain_path(l->words[1]);
	if (!e->path)
		return refuse(l, "the path is empty, too long, or holds an empty component, '.' or '..'");
	if (e->kind == RECIPE_LINK) {
		e->target = strdup(l->words[2]);
		e->mode = 0777;
		return e->target ? 0 : problem_set(l->problem, -ENOMEM, EXIT_SOFTWARE, "out of memory");
	}
	if (parse_mode(l->words[2], &e->mode) < 0)
		return refuse(l, "the mode is octal, from 0000 to 07777");
	if (e->kind == RECIPE_FILE)
		return read_source(l, l->words[3], places, e);
	return e->kind == RECIPE_CHAR ? fill_node(l, e) : 0;
}

static errint_t read_line(struct recipe *r, struct line *l, char *text, const struct recipe_places *places)
{
	struct recipe_entry e = { .path = NULL };
	char *save = NULL;

	l->count = 0;
	for (char *w = strtok_r(text, " \t\r", &save); w && *w != '#'; w = strtok_r(NULL, " \t\r", &save)) {
		if (l->count == MAX_WORDS)
			return refuse(l, "too many words");
		l->words[l->count++] = w;
	}
	if (l->count == 0)
		return 0;
	errint_t error = fill_entry(l, places, &e);
	if (error < 0) {
		entry_done(&e);
		return error;
	}
	return add_or_free(r, &e, l->problem);
}

errint_t recipe_read(struct recipe *r, const char *path, const struct recipe_places *places, struct problem *p)
{
	_cleanup_free_ char *text = NULL;
	struct line l = { .recipe = path, .problem = p };
	size_t size;
	errint_t error = io_read_file(path, RECIPE_MAX_SIZE, &text, &size);

	if (error < 0)
		return problem_set(p, error, EXIT_NO_INPUT, "cannot read the initrd's recipe %s: %s", path, problem_reason(error));
	if (strlen(text) != size)
		return problem_set(p, -EINVAL, EXIT_CONFIG, "the recipe %s is no text: it holds NUL bytes", path);
	for (char *line = text, *next; error == 0 && line; line = next) {
		l.number++;
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		error = read_line(r, &l, line, places);
	}
	return error;
}

errint_t recipe_add_file(struct recipe *r, const char *path, uint32_t mode, const void *data, size_t size, struct problem *p)
{
	struct recipe_entry e = { .kind = RECIPE_FILE, .mode = mode, .size = size, .path = strdup(path), .data = malloc(size + 1) };

	if (!e.path || !e.data) {
		entry_done(&e);
		return problem_set(p, -ENOMEM, EXIT_SOFTWARE, "out of memory");
	}
	memcpy(e.data, data, size);
	return add_or_free(r, &e, p);
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct recipe_entry *)a)->path, ((const struct recipe_entry *)b)->path);
}

static const struct recipe_entry *find(const struct recipe *r, const char *path, size_t size)
{
	for (size_t i = 0; i < r->count; i++)
		if (strncmp(r->entries[i].path, path, size) == 0 && r->entries[i].path[size] == '\0')
			return &r->entries[i];
	return NULL;
}

static errint_t add_parents(struct recipe *r, size_t index, const char *name, struct problem *p)
{
	for (size_t n = 0; r->entries[index].path[n]; n++) {
		const char *path = r->entries[index].path;
		if (path[n] != '/')
			continue;
		const struct recipe_entry *parent = find(r, path, n);
		if (parent && parent->kind != RECIPE_DIR)
			return problem_set(p, -ENOTDIR, EXIT_CONFIG, "%s:%u: /%s lies below /%s, which is no directory", name, r->entries[index].line, path, parent->path);
		if (parent)
			continue;
		struct recipe_entry e = { .kind = RECIPE_DIR, .mode = 0755, .path = strndup(path, n) };
		if (!e.path)
			return problem_set(p, -ENOMEM, EXIT_SOFTWARE, "out of memory");
		errint_t error = add_or_free(r, &e, p);
		if (error < 0)
			return error;
	}
	return 0;
}

errint_t recipe_finish(struct recipe *r, const char *name, struct problem *p)
{
	size_t given = r->count;

	for (size_t i = 0; i < given; i++) {
		errint_t error = add_parents(r, i, name, p);
		if (error < 0)
			return error;
	}
	if (r->count)
		qsort(r->entries, r->count, sizeof(r->entries[0]), compare_entries);
	for (size_t i = 1; i < r->count; i++)
		if (strcmp(r->entries[i - 1].path, r->entries[i].path) == 0)
			return problem_set(p, -EEXIST, EXIT_CONFIG, "%s:%u: /%s is in the initrd twice%s", name,
					   MAX(r->entries[i - 1].line, r->entries[i].line), r->entries[i].path,
					   r->entries[i - 1].line && r->entries[i].line ? "" : ": mkimage adds this file itself");
	return 0;
}

void recipe_done(struct recipe *r)
{
	for (size_t i = 0; i < r->count; i++)
		entry_done(&r->entries[i]);
	free(steal_ptr(r->entries));
	r->count = 0;
}
