// SPDX-License-Identifier: GPL-2.0
/*
 * crash.c - a driver with a bug: a delayed work item writes through a pointer that nobody set.
 *
 * The wrong store happens half a second after loading, in a worker thread, far from its cause: the probe
 * function that forgets to allocate when `ready` is still zero.
 */
#include <linux/module.h>
#include <linux/workqueue.h>

struct device_state {
	unsigned long irqs;
	unsigned long frames;
};

static struct device_state *state;
static int ready;

static noinline void count_frame(struct device_state *s, unsigned long n)
{
	s->frames = n;
}

static void poll_device(struct work_struct *work)
{
	count_frame(state, 42);
}

static DECLARE_DELAYED_WORK(poller, poll_device);

static int __init crash_init(void)
{
	static struct device_state storage;

	if (ready)
		state = &storage;
	pr_info("crash: loaded, polling starts soon\n");
	schedule_delayed_work(&poller, HZ / 2);
	return 0;
}

static void __exit crash_exit(void)
{
	cancel_delayed_work_sync(&poller);
}

module_init(crash_init);
module_exit(crash_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("writes through a null pointer some time after loading");
