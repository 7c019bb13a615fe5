/* SPDX-License-Identifier: MIT */
/* The list of pins, the thread that works on it, and the verbs; see pins.h. */
#include "fetchfs/client/pins_private.h"
#include "common/message.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/log.h"
#include "fetchfs/client/thread.h"

static const char *const states[] = { [PIN_QUEUED] = "queued", [PIN_FETCHING] = "fetching", [PIN_COMPLETE] = "complete",
				      [PIN_INCOMPLETE] = "incomplete", [PIN_LEAVING] = "leaving" };

static const char *const sources[] = { [0] = "", [PIN_BY_USER] = "user", [PIN_BY_TREE] = "tree", [PIN_BY_USER | PIN_BY_TREE] = "user, tree" };

errint_t pins_new(struct snapshot *snapshot, struct files *files, struct cache *cache, struct pins **ret)
{
	struct pins *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->snapshot = snapshot;
	p->files = files;
	p->cache = cache;
	p->folder = -1;
	pthread_mutex_init(&p->lock, NULL);
	clock_cond_init(&p->changed);
	*ret = p;
	return 0;
}

/* lock held */
static struct pin *find_pin(struct pins *p, const char *path)
{
	struct pin *i = p->list;

	while (i && (strcmp(i->path, path) != 0 || i->state == PIN_LEAVING))
		i = i->next;
	return i;
}

/* lock held. At the end, so that they are worked on in the order of asking. */
static struct pin *add_pin(struct pins *p, const char *path, unsigned source)
{
	struct pin *new = calloc(1, sizeof(*new)), **link = &p->list;

	if (new && !(new->path = strdup(path))) {
		free(new);
		return NULL;
	}
	while (*link)
		link = &(*link)->next;
	if (new) {
		new->sources = source;
		*link = new;
	}
	return new;
}

/* lock held */
static void requeue(struct pin *i)
{
	i->state = PIN_QUEUED;
	i->files = i->bytes = i->missing = 0;
	i->error = NULL;
	i->no_such = false;
}

/* lock held. What leaves comes first: others may need what it lets go, and are looked at again. */
static struct pin *choose(struct pins *p)
{
	struct pin *i;

	for (i = p->list; i && i->state != PIN_LEAVING; i = i->next)
		;
	if (i)
		return i;
	for (i = p->list; i && i->state != PIN_QUEUED; i = i->next)
		;
	return i;
}

/* lock held */
static void remove_pin(struct pins *p, struct pin *gone)
{
	struct pin **link = &p->list;

	while (*link != gone)
		link = &(*link)->next;
	*link = gone->next;
	free(gone->path);
	free(gone);
	for (struct pin *i = p->list; i; i = i->next)
		if (i->state == PIN_COMPLETE || i->state == PIN_INCOMPLETE)
			requeue(i);
}

static const char *path_error(errint_t r)
{
	switch (r) {
	case -ENOENT:
		return "there is no such file in this revision";
	case -EISDIR:
		return "it is a directory: with a / at its end all below it is pinned";
	case -ENOTDIR:
		return "it, or what it goes through, is no directory";
	case -ELOOP:
		return "it goes through a symbolic link: pin what that leads to";
	case -ETIMEDOUT:
		return "the servers did not answer in time";
	case -ECANCELED:
		return "the mount ends";
	default:
		return "its catalog could not be fetched or kept";
	}
}

/* lock held. The folder of the snapshot that is there now. */
static errint_t open_folder(struct pins *p)
{
	struct digest root;
	uint64_t revision;

	if (p->moved && p->folder >= 0) {
		close(p->folder);
		p->folder = -1;
	}
	p->moved = false;
	if (p->folder >= 0)
		return 0;
	snapshot_identity(p->snapshot, &root, &revision);
	return cache_keep_open(p->cache, p->snapshot->name, &root, &p->folder);
}

static void work_on(struct pins *p, struct pin *i)
{
	struct pin_walk w = { .pins = p, .pin = i, .keep = i->state != PIN_LEAVING };
	errint_t r = open_folder(p);

	if (w.keep)
		i->state = PIN_FETCHING;
	pthread_mutex_unlock(&p->lock);
	if (r == 0)
		r = pins_walk(&w);
	pthread_mutex_lock(&p->lock);
	if (!w.keep) {
		remove_pin(p, i);
		return;
	}
	/* Nobody wants it any more, or asked again, meanwhile. */
	if (i->state != PIN_FETCHING)
		return;
	if (r < 0)
		i->error = path_error(r);
	i->no_such = r == -ENOENT || r == -EISDIR || r == -ENOTDIR || r == -ELOOP;
	i->state = i->error ? PIN_INCOMPLETE : PIN_COMPLETE;
}

/* lock held. Whatever other snapshots kept has had its time when all of this one is there. */
static bool all_complete(const struct pins *p)
{
	for (const struct pin *i = p->list; i; i = i->next)
		if (i->state != PIN_COMPLETE && !i->no_such)
			return false;
	return true;
}

/* lock held. What the tree wants pinned now, in the place of what it wanted before. */
static void take_tree_list(struct pins *p, const struct pins_file *f)
{
	struct pin *i;

	for (i = p->list; i; i = i->next)
		i->sources &= ~(unsigned)PIN_BY_TREE;
	for (size_t n = 0; n < f->count; n++) {
		i = find_pin(p, f->paths[n]);
		if (i)
			i->sources |= PIN_BY_TREE;
		else
			(void)add_pin(p, f->paths[n], PIN_BY_TREE);
	}
	for (i = p->list; i; i = i->next)
		if (!i->sources)
			i->state = PIN_LEAVING;
}

/* lock held, and released in between. */
static void read_tree(struct pins *p)
{
	struct pins_file *f = calloc(1, sizeof(*f));
	bool was_tried = p->tree_again != 0;
	unsigned bad = 0, line = 0;
	errint_t r;

	p->tree_due = false;
	pthread_mutex_unlock(&p->lock);
	r = f ? pins_tree_read(p, f, &bad, &line) : -ENOMEM;
	if (r < 0 && r != -ECANCELED && !was_tried)
		log_warning("%s: /" PINS_TREE_PATH " cannot be used: %s", p->snapshot->name,
			    r == -EFBIG ? "it is larger than 1 MiB; publish a shorter one" : strerror(-r));
	if (bad)
		log_warning("%s: /" PINS_TREE_PATH ": %u of its lines are passed over, the first is line %u: expected a path without . and .., at most %d in all",
			    p->snapshot->name, bad, line, PINS_MAX);
	pthread_mutex_lock(&p->lock);
	p->tree_known = r == 0 && !p->moved;
	/* The server may be away; what is wrong with the list itself stays wrong. */
	p->tree_again = r < 0 && r != -EFBIG && r != -EBADMSG ? clock_now() + PINS_TREE_RETRY_NS : 0;
	if (r == 0)
		take_tree_list(p, f);
	if (r == 0)
		pins_file_done(f);
	free(f);
}

/* lock held, and released in between. Also what comes meanwhile. */
static void work(struct pins *p)
{
	struct pin *i;

	while (!p->stop) {
		/* Pins whose files are all here must not wait for a server that the tree's list needs. */
		if ((i = choose(p)))
			work_on(p, i);
		else if (p->tree_due)
			read_tree(p);
		else if (p->tree_again > clock_now())
			clock_cond_wait_until(&p->changed, &p->lock, p->tree_again);
		else if (p->tree_again)
			p->tree_due = true;
		else
			return;
	}
}

static void *run(void *context)
{
	struct pins *p = context;
	struct digest root;
	uint64_t revision;
	bool complete, empty;

	pthread_mutex_lock(&p->lock);
	work(p);
	empty = !p->list;
	complete = all_complete(p) && p->tree_known && !p->stop;
	pthread_mutex_unlock(&p->lock);
	if (complete) {
		snapshot_identity(p->snapshot, &root, &revision);
		/* Nothing is pinned any more: what was is let go. */
		cache_keep_only(p->cache, p->snapshot->name, empty ? NULL : &root);
	}
	pthread_mutex_lock(&p->lock);
	/* It may have been given work meanwhile. */
	work(p);
	p->running = false;
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* lock held */
static errint_t set_to_work(struct pins *p)
{
	errint_t r = 0;

	pthread_cond_signal(&p->changed);
	if (p->running)
		return 0;
	r = p->list ? open_folder(p) : 0;
	if (r < 0)
		return r;
	/* It has ended, or is about to. */
	if (p->started)
		pthread_join(p->thread, NULL);
	r = thread_start(&p->thread, run, p);
	p->started = p->running = r == 0;
	return r;
}

void pins_start(struct pins *p, const char **ret_error)
{
	struct pins_file *f = calloc(1, sizeof(*f));
	errint_t r = f ? pins_file_read(p->cache, p->snapshot->name, f) : -ENOMEM;

	*ret_error = r == -EBADMSG ? "malformed" : r < 0 ? strerror(-r) : NULL;
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; r == 0 && i < f->count; i++)
		(void)add_pin(p, f->paths[i], PIN_BY_USER);
	p->tree_due = true;
	if (r == 0 && (r = set_to_work(p)) < 0)
		*ret_error = strerror(-r);
	pthread_mutex_unlock(&p->lock);
	if (f)
		pins_file_done(f);
	free(f);
}

void pins_again(struct pins *p)
{
	pthread_mutex_lock(&p->lock);
	p->moved = true;
	for (struct pin *i = p->list; i; i = i->next)
		if (i->state != PIN_LEAVING)
			requeue(i);
	p->tree_due = true;
	p->tree_known = false;
	p->tree_again = 0;
	if (!p->stop)
		(void)set_to_work(p);
	pthread_mutex_unlock(&p->lock);
}

void pins_free(struct pins *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (p->started)
		pthread_join(p->thread, NULL);
	while (p->list) {
		struct pin *next = p->list->next;
		free(p->list->path);
		free(p->list);
		p->list = next;
	}
	if (p->folder >= 0)
		close(p->folder);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void pins_sum(struct pins *p, uint64_t *ret_bytes, uint64_t *ret_incomplete)
{
	*ret_bytes = *ret_incomplete = 0;
	pthread_mutex_lock(&p->lock);
	for (struct pin *i = p->list; i; i = i->next) {
		*ret_bytes += i->bytes;
		*ret_incomplete += i->state != PIN_COMPLETE;
	}
	pthread_mutex_unlock(&p->lock);
}

errint_t pins_fetch(struct pins *p, const char *path, void (*counted)(void *context, uint64_t files, uint64_t bytes), void *context, struct pins_result *ret)
{
	_cleanup_free_ char *normal = NULL;
	errint_t r = pins_normalize(path, &normal);
	struct pin *i;

	*ret = (struct pins_result){ .files = 0 };
	if (r < 0)
		return r;
	p->counted = counted;
	p->counted_context = context;
	pthread_mutex_lock(&p->lock);
	r = open_folder(p);
	i = r == 0 ? add_pin(p, normal, PIN_BY_USER) : NULL;
	if (i) {
		work_on(p, i);
		*ret = (struct pins_result){ .files = i->files - i->missing, .bytes = i->bytes, .missing = i->missing, .error = i->error, .no_such = i->no_such };
	} else if (r == 0) {
		r = -ENOMEM;
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

void pins_cancel(struct pins *p)
{
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_mutex_unlock(&p->lock);
}

/* lock held */
static void put_pin(json_t *o, const struct pin *i)
{
	ctl_text(o, "path", i->path);
	ctl_text(o, "source", sources[i->sources]);
	ctl_text(o, "state", states[i->state]);
	ctl_number(o, "files", i->files);
	ctl_number(o, "kept_bytes", i->bytes);
	ctl_number(o, "missing_files", i->missing);
	ctl_text(o, "error", i->error ? i->error : "");
}

static int list(struct pins *p, struct ctl_reply *reply)
{
	json_t *pins = ctl_list(reply->root, "pins");

	pthread_mutex_lock(&p->lock);
	for (struct pin *i = p->list; i; i = i->next)
		put_pin(ctl_item(pins), i);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

static int fail_path(struct ctl_reply *reply, const char *path, errint_t r)
{
	return ctl_fail(reply, r == -ENOMEM ? EXIT_SOFTWARE : EXIT_USAGE, "'%.200s': expected a path from the mount's root, without . and .. in it%s", path,
			r == -ENAMETOOLONG ? ", and no longer" : "");
}

static int fail_list(struct ctl_reply *reply, errint_t r)
{
	if (r == -E2BIG)
		return ctl_fail(reply, EXIT_USAGE, "more than %d paths are pinned; pin a directory instead of its files", PINS_MAX);
	return ctl_fail(reply, EXIT_CANNOT_CREATE, "cannot write the list of pins in the cache: %s", r == -EBADMSG ? "it is malformed; remove it" : strerror(-r));
}

static int pin(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	struct pins *p = context;
	_cleanup_free_ char *path = NULL;
	struct pin *i;
	errint_t r;

	if (request->count == 0)
		return list(p, reply);
	r = pins_normalize(request->arguments[0], &path);
	if (r < 0)
		return fail_path(reply, request->arguments[0], r);
	r = pins_file_change(p->cache, p->snapshot->name, path, true);
	if (r < 0)
		return fail_list(reply, r);
	pthread_mutex_lock(&p->lock);
	i = find_pin(p, path);
	if (!i)
		i = add_pin(p, path, PIN_BY_USER);
	else if (i->state != PIN_FETCHING)
		requeue(i);
	if (i)
		i->sources |= PIN_BY_USER;
	r = i ? set_to_work(p) : -ENOMEM;
	if (r == 0)
		put_pin(reply->root, i);
	pthread_mutex_unlock(&p->lock);
	return r < 0 ? ctl_fail(reply, EXIT_SOFTWARE, "cannot begin to fetch: %s", strerror(-r)) : 0;
}

static int unpin(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	struct pins *p = context;
	_cleanup_free_ char *path = NULL;
	errint_t r = pins_normalize(request->arguments[0], &path);
	bool is_users;
	struct pin *i;

	if (r < 0)
		return fail_path(reply, request->arguments[0], r);
	r = pins_file_change(p->cache, p->snapshot->name, path, false);
	if (r < 0)
		return fail_list(reply, r);
	pthread_mutex_lock(&p->lock);
	i = find_pin(p, path);
	is_users = i && i->sources & PIN_BY_USER;
	if (is_users) {
		i->sources &= ~(unsigned)PIN_BY_USER;
		if (i->sources)
			requeue(i);
		else
			i->state = PIN_LEAVING;
		r = set_to_work(p);
		put_pin(reply->root, i);
	}
	pthread_mutex_unlock(&p->lock);
	if (i && !is_users)
		return ctl_fail(reply, EXIT_NO_INPUT, "'%.300s' is pinned by the tree itself (/" PINS_TREE_PATH "): publish one without it", path);
	if (!i)
		return ctl_fail(reply, EXIT_NO_INPUT, "'%.300s' is not pinned; 'pin --list' lists what is", path);
	return r < 0 ? ctl_fail(reply, EXIT_SOFTWARE, "cannot begin: %s", strerror(-r)) : 0;
}

const struct ctl_verb pins_verbs[] = {
	{ "pin", "[PATH]", "lists what is pinned; or fetches and keeps a file, or with a / at its end all below a directory", 0, 1, pin },
	{ "unpin", "PATH", "keeps it no longer", 1, 1, unpin },
	{ .name = NULL }
};
