// SPDX-License-Identifier: GPL-2.0
/*
 * walk_uaf.c - a driver with a bug: a session is freed, and a pointer to it kept.
 *
 * The session used last is remembered, so that it need not be looked up. close_session() frees it and forgets that.
 * Then packets are queued; one of them gets the memory. A second later the session used last is ticked, and its
 * operations are what a packet's payload happens to be.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#define SESSIONS 8
#define PACKETS  16
#define WORDS    7

struct session;
struct session_ops {
	void (*tick)(struct session *session);
};

struct session {
	unsigned long id;
	const struct session_ops *ops;
	unsigned long ticks;
	char peer[40];
};

struct packet { /* of the same size */
	unsigned long length;
	unsigned long payload[WORDS];
};

static struct kmem_cache *pool; /* for both */
static struct session *sessions[SESSIONS];
static struct session *last_used;
static struct packet *queue[PACKETS];

static void count_tick(struct session *session)
{
	session->ticks++;
}

static const struct session_ops ops = { .tick = count_tick };

static noinline void open_session(unsigned int slot)
{
	struct session *session = kmem_cache_zalloc(pool, GFP_KERNEL);

	if (!session)
		return;
	session->id = slot + 1;
	session->ops = &ops;
	WRITE_ONCE(sessions[slot], session);
	last_used = session;
}

static noinline void close_session(unsigned int slot)
{
	struct session *session = READ_ONCE(sessions[slot]);

	WRITE_ONCE(sessions[slot], NULL);
	kmem_cache_free(pool, session);
}

static noinline void queue_packet(unsigned int slot)
{
	struct packet *packet = kmem_cache_alloc(pool, GFP_KERNEL);
	unsigned int i;

	if (!packet)
		return;
	packet->length = sizeof(packet->payload);
	for (i = 0; i < WORDS; i++)
		WRITE_ONCE(packet->payload[i], 0x6b6361702e746564ul + slot * i);
	WRITE_ONCE(queue[slot], packet);
}

static noinline void tick_session(struct session *session)
{
	session->ops->tick(session);
}

static void work_burst(struct work_struct *work)
{
	unsigned int i;

	close_session(SESSIONS - 1);
	for (i = 0; i < PACKETS; i++)
		queue_packet(i);
}

static void work_tick(struct work_struct *work)
{
	tick_session(last_used);
}

static DECLARE_DELAYED_WORK(burst, work_burst);
static DECLARE_DELAYED_WORK(tick, work_tick);

static int __init walk_init(void)
{
	unsigned int i;

	/* a region for user copies: caches that have one are never merged with others */
	pool = kmem_cache_create_usercopy("walk_uaf", sizeof(struct session), 0, 0, 0,
					  sizeof(struct session), NULL);
	if (!pool)
		return -ENOMEM;
	for (i = 0; i < SESSIONS; i++)
		open_session(i);
	schedule_delayed_work(&burst, HZ / 2);
	schedule_delayed_work(&tick, HZ + HZ / 2);
	return 0;
}

module_init(walk_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("calls through memory that was freed and given to another");
