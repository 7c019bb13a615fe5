/* SPDX-License-Identifier: MIT */
/*
 * Changes of a snapshot against a model of the kernel's caches: random trees in many catalogs, with hard links across them, are changed at random; names,
 * attributes and listings that the model has cached must be what the snapshot says after it has been told, and it must not have been told without need.
 * Also workers that take over, the runs of inherited numbers, and the gate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* The publisher has a struct of the same name. */
#define tree published_tree
#include "common/io.h"
#include "fetchfs/publish/build.h"
#undef tree
#include "fetchfs/client/snapshot_private.h"
#include "fetchfs/client/snapshot_state.h"
#include "fetchfs/client/state.h"

#include <semaphore.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MAX_ITEMS 600
#define MAX_CACHED 20000
#define NAME_SIZE 16

static uint64_t seed;

static uint32_t next_random(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/* What is published: items in directories, by index. Item 0 is the root. */
struct item {
	bool is_there;
	uint32_t parent, name;
	uint32_t type;		/* S_IFDIR, S_IFREG, S_IFLNK */
	uint32_t content, mtime;
	int link_of;		/* a file's other name; -1: none */
};

static struct item items[MAX_ITEMS];
static struct tree_node *nodes[MAX_ITEMS];

static uint32_t random_directory(void)
{
	for (;;) {
		uint32_t i = next_random(MAX_ITEMS);
		if (items[i].is_there && items[i].type == S_IFDIR)
			return i;
		if (next_random(50) == 0)
			return 0;
	}
}

static bool name_is_taken(uint32_t parent, uint32_t name)
{
	for (unsigned i = 1; i < MAX_ITEMS; i++)
		if (items[i].is_there && items[i].parent == parent && items[i].name == name)
			return true;
	return false;
}

/* Parents have lower indexes than what is in them. */
static void add_item(uint32_t i)
{
	uint32_t type = next_random(8), parent = random_directory(), name = next_random(40);

	if (parent >= i || name_is_taken(parent, name))
		return;
	items[i] = (struct item){ .is_there = true, .parent = parent, .name = name, .content = next_random(1000), .mtime = next_random(1000), .link_of = -1,
				  .type = type < 2 ? S_IFDIR : type == 2 ? S_IFLNK : S_IFREG };
	if (items[i].type == S_IFREG && next_random(3) == 0)
		for (uint32_t j = next_random(MAX_ITEMS); j < MAX_ITEMS; j++)
			if (j != i && items[j].is_there && items[j].type == S_IFREG && items[j].link_of < 0) {
				items[i].link_of = (int)j;
				break;
			}
}

static void remove_item(uint32_t i)
{
	items[i].is_there = false;
	for (uint32_t j = 1; j < MAX_ITEMS; j++) {
		if (items[j].is_there && items[j].link_of == (int)i)
			items[j].link_of = -1;
		if (items[j].is_there && items[j].parent == i)
			remove_item(j);
	}
}

static void change_items(unsigned count)
{
	while (count-- > 0) {
		uint32_t i = 1 + next_random(MAX_ITEMS - 1);
		if (!items[i].is_there)
			add_item(i);
		else if (next_random(6) == 0)
			remove_item(i);
		else if (next_random(2))
			items[i].content = next_random(1000);
		else
			items[i].mtime = next_random(1000);
	}
}

/* The kernel: what it has cached. */

struct dentry {
	uint64_t dir, ino;	/* ino 0: no such name */
	char name[NAME_SIZE];
};

struct known {
	uint64_t ino, count;
	struct stat st;
	struct digest content;
	uint64_t listing;	/* a hash; 0: not cached */
	bool is_directory;
};

static struct dentry dentries[MAX_CACHED];
static struct known knowns[MAX_CACHED];
static size_t dentry_count, known_count;

/* A repository of many small catalogs, and a client of it without a kernel. */
struct scene {
	char directory[64];
	struct repository repository;
	struct trouble trouble;
	uint64_t revision;
	struct stats stats;
	struct cache *cache;
	struct transport *transport;
	struct store *store;
	struct snapshot snapshot;
};

static struct scene scene;

static struct tree_inode *make_inode(struct published_tree *t, struct ingest *ingest, const struct item *item)
{
	struct tree_inode *n = tree_new_inode(t);
	char text[32];

	n->mode = item->type | (item->type == S_IFDIR ? 0755 : item->type == S_IFLNK ? 0777 : 0644);
	n->mtime_sec = item->mtime;
	n->xattrs = TREE_NO_XATTRS;
	snprintf(text, sizeof(text), "content %u", item->content);
	if (item->type == S_IFLNK) {
		char *target = arena_alloc(&t->arena, sizeof(text));
		strcpy(target, text);
		n->target = target;
		n->size = strlen(text);
	} else if (item->type == S_IFREG) {
		n->size = n->allocated = strlen(text);
		n->extents = arena_alloc(&t->arena, sizeof(struct tree_extent));
		n->extent_count = 1;
		n->extents[0].length = n->size;
		assert_int_equal(ingest_from_memory(ingest, strdup(text), strlen(text), t->root, 0, &n->extents[0].content), 0);
	}
	return n;
}

static void add_node(struct published_tree *t, struct ingest *ingest, uint32_t i)
{
	struct item *item = &items[i];
	struct tree_inode *inode = item->link_of >= 0 && (uint32_t)item->link_of < i ? nodes[item->link_of]->inode : NULL;
	char name[NAME_SIZE] = "";

	if (!inode)
		inode = make_inode(t, ingest, item);
	inode->links++;
	if (i > 0)
		snprintf(name, sizeof(name), "n%u", item->name);
	nodes[i] = tree_new_node(t, i ? nodes[item->parent] : NULL, name, strlen(name), inode);
	if (i == 0)
		t->root = nodes[0];
	else
		assert_int_equal(tree_add_child(t, nodes[item->parent], nodes[i]), 0);
}

static void publish(struct scene *s, struct manifest *ret)
{
	struct published_tree t;
	struct arena stored = { .max = SIZE_MAX };
	struct ingest_options o = { .repository = &s->repository, .source = "test", .arena = &stored, .jobs = 1, .level = 1, .trouble = &s->trouble };
	struct build_options b = { .published_tree = &t, .trouble = &s->trouble, .split_entries = 24, .nested_entries = 6 };
	struct build_result built;

	tree_init(&t);
	assert_int_equal(ingest_new(&o, &b.ingest), 0);
	for (uint32_t i = 0; i < MAX_ITEMS; i++)
		if (items[i].is_there)
			add_node(&t, b.ingest, i);
	for (uint32_t i = 0; i < MAX_ITEMS; i++)
		if (items[i].is_there && items[i].type == S_IFDIR)
			tree_sort_children(nodes[i]);
	assert_int_equal(ingest_finish(b.ingest), 0);
	assert_int_equal(build_catalogs(&b, &built), 0);
	*ret = (struct manifest){ .name = "test", .revision = ++s->revision, .root = built.root, .inodes = built.inodes, .bytes = built.bytes };
	ingest_free(b.ingest);
	tree_done(&t);
	arena_done(&stored);
}

static int set_up(void **state)
{
	char error[TRANSPORT_ERROR_SIZE];
	struct scene *s = &scene;
	_cleanup_free_ char *repository = NULL, *cache = NULL;
	const char *urls[1];
	struct transport_config t = { .urls = urls, .url_count = 1, .stats = &s->stats };
	struct cache_config c = { .stats = &s->stats };
	struct store_config o = { .stats = &s->stats };
	struct manifest m;

	(void)state;
	dentry_count = known_count = 0;
	memset(s, 0, sizeof(*s));
	memset(items, 0, sizeof(items));
	items[0] = (struct item){ .is_there = true, .type = S_IFDIR, .link_of = -1 };
	strcpy(s->directory, "/tmp/spore-test-update-XXXXXX");
	assert_non_null(mkdtemp(s->directory));
	repository = io_format("%s/repository", s->directory);
	cache = io_format("%s/cache", s->directory);
	assert_int_equal(repository_create(repository, &s->trouble), 0);
	assert_int_equal(repository_open_new(repository, &s->repository, &s->trouble), 0);
	change_items(2500);
	publish(s, &m);
	urls[0] = repository;
	c.path = cache;
	assert_int_equal(transport_open(&t, &s->transport, error), 0);
	assert_int_equal(cache_open(&c, &s->cache), 0);
	o.transport = s->transport;
	o.cache = s->cache;
	assert_int_equal(store_open(&o, &s->store), 0);
	assert_int_equal(snapshot_open(&s->snapshot, &m, s->store, s->cache, &s->stats, true, 10, error), 0);
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = &scene;
	_cleanup_free_ char *command = io_format("rm -rf %s", s->directory);

	(void)state;
	transport_stop(s->transport);
	store_stop(s->store);
	snapshot_close(&s->snapshot);
	store_free(s->store);
	transport_free(s->transport);
	cache_close(s->cache);
	repository_close(&s->repository);
	return system(command);
}

struct wait {
	struct snapshot_waiter waiter;
	sem_t done;
};

static void ready(struct snapshot_waiter *w, errint_t r)
{
	assert_int_equal(r, 0);
	sem_post(&((struct wait *)(void *)w)->done);
}

static errint_t enter(uint64_t ino, struct place *ret)
{
	struct snapshot *s = &scene.snapshot;
	struct wait w = { .waiter.ready = ready };
	errint_t r = snapshot_place(s, ino, ret);

	sem_init(&w.done, 0, 0);
	while (r == 0 && (r = snapshot_enter(s, ret, &w.waiter)) == -EAGAIN) {
		sem_wait(&w.done);
		r = snapshot_place(s, ino, ret);
	}
	return r;
}

static void describe(const struct place *p, struct known *ret)
{
	struct catalog_extent e;
	const char *target;
	size_t length;

	ret->st = (struct stat){ .st_mode = p->inode.mode, .st_nlink = p->inode.nlink, .st_mtime = p->inode.mtime_sec, .st_size = (off_t)p->inode.size };
	ret->is_directory = S_ISDIR(p->inode.mode);
	if (S_ISREG(p->inode.mode) && catalog_extent(&p->tree->c, &p->inode, 0, &e) == 0)
		ret->content = e.digest;
	if (S_ISLNK(p->inode.mode) && catalog_symlink(&p->tree->c, &p->inode, &target, &length) == 0)
		digest_of(target, length, &ret->content);
}

static struct known *find_known(uint64_t ino)
{
	for (size_t i = 0; i < known_count; i++)
		if (knowns[i].ino == ino)
			return &knowns[i];
	return NULL;
}

static struct dentry *find_dentry(uint64_t dir, const char *name)
{
	for (size_t i = 0; i < dentry_count; i++)
		if (dentries[i].dir == dir && strcmp(dentries[i].name, name) == 0)
			return &dentries[i];
	return NULL;
}

/* 0: there is no such name. */
static uint64_t look_up(uint64_t dir, const char *name, struct place *ret)
{
	struct place d;
	errint_t r = enter(dir, &d);

	if (r == 0)
		r = snapshot_lookup(&scene.snapshot, &d, name, strlen(name), ret);
	assert_true(r == 0 || r == -ENOENT);
	return r == 0 ? ret->ino : 0;
}

static uint64_t list(uint64_t dir)
{
	uint64_t hash = 14695981039346656037u;
	struct catalog_dirent e;
	struct place d, p;

	assert_int_equal(enter(dir, &d), 0);
	for (uint32_t i = 0; snapshot_entry(&scene.snapshot, &d, i, &e, &p) == 0; i++) {
		for (unsigned n = 0; n < e.name_length; n++)
			hash = (hash ^ (uint8_t)e.name[n]) * 1099511628211u;
		hash = (hash ^ p.ino) * 1099511628211u;
	}
	return hash;
}

static void cache_name(uint64_t dir, const char *name)
{
	struct dentry *d = find_dentry(dir, name);
	struct known *k;
	struct place p;

	if (d)
		return;
	assert_true(dentry_count < MAX_CACHED && known_count < MAX_CACHED);
	d = &dentries[dentry_count++];
	*d = (struct dentry){ .dir = dir };
	strcpy(d->name, name);
	d->ino = look_up(dir, name, &p);
	if (d->ino == 0)
		return;
	snapshot_known(&scene.snapshot, &p, 1);
	k = find_known(d->ino);
	if (!k) {
		k = &knowns[known_count++];
		*k = (struct known){ .ino = d->ino };
		describe(&p, k);
	}
	k->count++;
}

static void use_at_random(unsigned count)
{
	char name[NAME_SIZE];

	while (count-- > 0) {
		struct known *k = known_count && next_random(8) ? &knowns[next_random((uint32_t)known_count)] : NULL;
		uint64_t dir = k && k->is_directory ? k->ino : 1;
		snprintf(name, sizeof(name), "n%u", next_random(40));
		cache_name(dir, name);
		if (k && k->is_directory && next_random(3) == 0)
			k->listing = list(k->ino);
	}
}

static void drop_dentry(struct dentry *d);

static void drop_below(uint64_t dir)
{
	for (size_t i = 0; i < dentry_count;) {
		if (dentries[i].dir == dir) {
			drop_dentry(&dentries[i]);
			i = 0;
		} else {
			i++;
		}
	}
}

/* As the kernel: with a directory goes all below. Inodes are held by names alone here, save one in four, which somebody has open. */
static void drop_dentry(struct dentry *d)
{
	struct dentry gone = *d;
	struct known *k = find_known(gone.ino);

	*d = dentries[--dentry_count];
	if (!k)
		return;
	if (k->is_directory)
		drop_below(gone.ino);
	if (next_random(4) == 0)
		return;
	snapshot_forget(&scene.snapshot, gone.ino, 1);
	k = find_known(gone.ino);
	if (--k->count == 0)
		*k = knowns[--known_count];
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_nlink == b->st_nlink && a->st_mtime == b->st_mtime && a->st_size == b->st_size;
}

static unsigned needless[4];

static void obey(const struct snapshot_change *c)
{
	struct known fresh = { .ino = 0 }, *k = find_known(c->ino);
	char name[NAME_SIZE];
	struct dentry *d;
	struct place p;

	if (c->kind == CHANGE_NAME) {
		memcpy(name, c->name, c->name_length);
		name[c->name_length] = '\0';
		d = find_dentry(c->ino, name);
		if (!d)
			return;
		needless[c->kind] += look_up(c->ino, name, &p) == d->ino;
		drop_dentry(d);
	} else if (c->kind == CHANGE_LISTING && k) {
		needless[c->kind] += k->listing && list(c->ino) == k->listing;
		k->listing = 0;
	} else if (c->kind == CHANGE_ATTRIBUTES && k) {
		assert_int_equal(snapshot_place(&scene.snapshot, c->ino, &p), 0);
		describe(&p, &fresh);
		needless[c->kind] += same(&fresh.st, &k->st);
		k->st = fresh.st;
	}
}

/* Whether names lead to it from the root. */
static bool is_reachable(uint64_t ino)
{
	if (ino == 1)
		return true;
	for (size_t i = 0; i < dentry_count; i++)
		if (dentries[i].ino == ino && is_reachable(dentries[i].dir))
			return true;
	return false;
}

static void check_all(void)
{
	struct place p;

	for (size_t i = 0; i < dentry_count; i++)
		if (look_up(dentries[i].dir, dentries[i].name, &p) != dentries[i].ino)
			fail_msg("name %s of %llu is stale", dentries[i].name, (unsigned long long)dentries[i].dir);
	for (size_t i = 0; i < known_count; i++) {
		struct known *k = &knowns[i], fresh = { .ino = 0 };
		assert_int_equal(snapshot_place(&scene.snapshot, k->ino, &p), 0);
		describe(&p, &fresh);
		/* An inode never changes its content, also where it is gone from the tree. */
		assert_true(digest_equal(&fresh.content, &k->content));
		assert_int_equal(fresh.st.st_mode & S_IFMT, k->st.st_mode & S_IFMT);
		if (!is_reachable(k->ino))
			continue;
		assert_true(same(&fresh.st, &k->st));
		if (k->listing)
			assert_int_equal(list(k->ino), k->listing);
	}
}

static void change(unsigned count)
{
	const struct snapshot_change *changes;
	char error[TRANSPORT_ERROR_SIZE];
	struct snapshot_update *u;
	struct manifest m;
	size_t n;

	change_items(count);
	publish(&scene, &m);
	assert_int_equal(snapshot_prepare(&scene.snapshot, &m, 10, &u, error), 0);
	assert_int_equal(snapshot_apply(u, &changes, &n), 0);
	for (size_t i = 0; i < n; i++)
		obey(&changes[i]);
	snapshot_update_free(u);
}

static void test_model(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 40; round++) {
		use_at_random(400);
		check_all();
		change(next_random(4) ? 1 + next_random(10) : next_random(200));
		check_all();
	}
	assert_true(scene.snapshot.changes == 40);
	for (unsigned i = 0; i < ARRAY_SIZE(needless); i++)
		assert_int_equal(needless[i], 0);
}

/* Another worker goes on with what this one has kept, without a server; what the kernel was not told of the last change it is told now. */
static void take_over(int kept)
{
	struct snapshot *s = &scene.snapshot;
	struct snapshot_change *changes;
	char error[TRANSPORT_ERROR_SIZE];
	struct manifest m = { .name = "test", .revision = s->revision, .root = s->root_record, .inodes = s->inodes, .bytes = s->bytes };
	bool untold = s->untold;
	struct store_config o = { .transport = scene.transport, .cache = scene.cache, .stats = &scene.stats };
	unsigned missing;
	size_t n;

	/* Its threads may still be about to leave the snapshot, as the other process's would have ended. */
	store_stop(scene.store);
	store_free(scene.store);
	assert_int_equal(store_open(&o, &scene.store), 0);
	snapshot_close(s);
	assert_int_equal(snapshot_state_restore(s, kept, &m, scene.store, scene.cache, &scene.stats, true, 10, error, &missing), 0);
	assert_int_equal(missing, 0);
	assert_int_equal(snapshot_state_keep(s, kept, "choice", 6), 0);
	assert_int_equal(s->untold, untold);
	if (!untold)
		return;
	assert_int_equal(snapshot_state_everything(s, &changes, &n), 0);
	for (size_t i = 0; i < n; i++)
		obey(&changes[i]);
	free(changes);
	snapshot_state_settle(s);
}

/* As change, but the worker ends in the middle of telling the kernel. */
static void change_and_die(int kept)
{
	const struct snapshot_change *changes;
	char error[TRANSPORT_ERROR_SIZE];
	struct snapshot_update *u;
	struct manifest m;
	size_t n;

	change_items(20);
	publish(&scene, &m);
	assert_int_equal(snapshot_prepare(&scene.snapshot, &m, 10, &u, error), 0);
	assert_int_equal(snapshot_apply(u, &changes, &n), 0);
	for (size_t i = 0; i < n / 2; i++)
		obey(&changes[i]);
	snapshot_update_free(u);
	take_over(kept);
}

static void test_take_over(void **state)
{
	_cleanup_free_ char *choice = NULL;
	_cleanup_close_ int kept = -1;
	size_t size;

	(void)state;
	assert_int_equal(state_make(&kept), 0);
	assert_int_equal(snapshot_state_choice(kept, &choice, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(snapshot_state_keep(&scene.snapshot, kept, "choice", 6), 0);
	for (unsigned round = 0; round < 40; round++) {
		use_at_random(300);
		check_all();
		if (next_random(3) == 0) {
			take_over(kept);
			check_all();
			use_at_random(100);
		}
		if (next_random(4) == 0) {
			change_and_die(kept);
		} else {
			change(next_random(4) ? 1 + next_random(10) : next_random(200));
			snapshot_state_settle(&scene.snapshot);
		}
		check_all();
	}
	free(steal_ptr(choice));
	assert_int_equal(snapshot_state_choice(kept, &choice, &size), 0);
	assert_true(size == 6 && memcmp(choice, "choice", 6) == 0);
	memset(needless, 0, sizeof(needless));
}

/* The state could not be written at a change: what is entered afterwards is not added to what was there before. */
static void test_unwritten(void **state)
{
	_cleanup_close_ int kept = -1, broken = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct snapshot *s = &scene.snapshot;
	unsigned repaired = 0;

	(void)state;
	assert_int_equal(state_make(&kept), 0);
	assert_int_equal(snapshot_state_keep(s, kept, "choice", 6), 0);
	for (unsigned round = 0; round < 10; round++) {
		s->state = broken;
		change(200);
		assert_true(s->unwritten);
		s->state = kept;
		/* Until a catalog is entered, unless all were there already. */
		for (unsigned i = 0; i < 20 && s->unwritten; i++)
			use_at_random(300);
		repaired += !s->unwritten;
		if (s->unwritten)
			assert_int_equal(snapshot_state_write(s), 0);
		check_all();
		snapshot_state_settle(s);
		take_over(kept);
		check_all();
	}
	assert_true(repaired > 0);
	memset(needless, 0, sizeof(needless));
}

/* When the kernel lets go of all, old catalogs go too. */
static void test_sweep(void **state)
{
	unsigned before = 0, after = 0;

	(void)state;
	use_at_random(400);
	for (unsigned i = 0; i < 5; i++)
		change(40);
	for (struct tree *t = scene.snapshot.retired; t; t = t->next_retired) {
		t->retired_at -= INT64_C(3600000000000);
		before++;
	}
	assert_true(before > 5);
	while (known_count > 0) {
		struct known *k = &knowns[--known_count];
		snapshot_forget(&scene.snapshot, k->ino, k->count);
	}
	dentry_count = 0;
	assert_int_equal(snapshot_sweep(&scene.snapshot), 0);
	for (struct tree *t = atomic_load(&scene.snapshot.first[0]); t; t = atomic_load(&t->next[0])) {
		assert_false(t->retired);
		for (uint32_t i = 0; i < t->c.inodes; i++)
			assert_int_equal(atomic_load(&t->known[i]), 0);
		after++;
	}
	assert_true(after > 0);
	use_at_random(400);
	check_all();
}

/* A catalog that is entered while a change is prepared: the change is prepared again. */
static void test_load_meanwhile(void **state)
{
	const struct snapshot_change *changes;
	char error[TRANSPORT_ERROR_SIZE];
	struct snapshot_update *u;
	struct manifest m;
	uint64_t loads;
	size_t n;

	(void)state;
	change_items(50);
	publish(&scene, &m);
	assert_int_equal(snapshot_prepare(&scene.snapshot, &m, 10, &u, error), 0);
	loads = scene.snapshot.loads;
	use_at_random(2000);
	assert_true(scene.snapshot.loads > loads);
	assert_int_equal(snapshot_apply(u, &changes, &n), -EAGAIN);
	snapshot_update_free(u);
	check_all();
	assert_int_equal(snapshot_prepare(&scene.snapshot, &m, 10, &u, error), 0);
	assert_int_equal(snapshot_apply(u, &changes, &n), 0);
	for (size_t i = 0; i < n; i++)
		obey(&changes[i]);
	snapshot_update_free(u);
	check_all();
}

static void test_runs(void **state)
{
	uint64_t inos[500];
	struct id_runs by_index, by_ino = { .count = 0 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(inos); i++)
		inos[i] = next_random(5) == 0 ? 0 : next_random(3) && i && inos[i - 1] ? inos[i - 1] + 1 : 1000 * (uint64_t)(500 - i) + next_random(100);
	assert_int_equal(id_runs_from(inos, ARRAY_SIZE(inos), NULL, &by_index), 0);
	assert_int_equal(id_runs_append(&by_ino, &by_index), 0);
	id_runs_order_by_ino(&by_ino);
	for (uint32_t i = 0; i < ARRAY_SIZE(inos); i++) {
		const struct id_run *run;
		assert_int_equal(id_runs_ino(&by_index, i), inos[i]);
		if (!inos[i])
			continue;
		run = id_runs_find(&by_ino, inos[i]);
		assert_non_null(run);
		assert_int_equal(run->index + (inos[i] - run->ino), i);
		assert_ptr_equal(id_runs_search(&by_index, inos[i])->ino, run->ino);
	}
	assert_null(id_runs_find(&by_ino, 0));
	assert_null(id_runs_find(&by_ino, UINT64_MAX));
	id_runs_done(&by_index);
	id_runs_done(&by_ino);
}

static struct gate the_gate;
static unsigned guarded[2];
static atomic_bool stop;

static void *look(void *context)
{
	(void)context;
	while (!atomic_load(&stop)) {
		GATE_INSIDE(&the_gate);
		gate_enter(&the_gate);
		if (guarded[0] != guarded[1])
			abort();
		gate_leave(&the_gate);
	}
	return NULL;
}

/* Nobody sees what is between the two halves of a change. */
static void test_gate(void **state)
{
	pthread_t threads[6];

	(void)state;
	gate_init(&the_gate, true);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look, NULL), 0);
	for (unsigned i = 0; i < 2000; i++) {
		gate_close(&the_gate);
		guarded[0]++;
		guarded[1]++;
		gate_open(&the_gate);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	gate_done(&the_gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_gate),
		cmocka_unit_test_setup_teardown(test_model, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_take_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unwritten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sweep, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_load_meanwhile, set_up, tear_down),
	};

	seed = 20261128;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
