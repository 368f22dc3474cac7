// SPDX-License-Identifier: GPL-2.0
/*
 * walk_wakeup.c - a driver with a bug: it looks whether there is work, and then goes to sleep.
 *
 * A timer rings the doorbell: it sets `pending` and wakes the consumer, unless the bell has been rung already. The
 * consumer checks `pending` first and says that it sleeps afterwards. A ring between the two finds it awake, so the
 * wake-up does nothing; it sleeps with `pending` set, and no later ring wakes it. The lengths of the items sweep the check
 * over the timer's period, so that this happens within the RINGS of a run.
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>

#define RINGS     20000
#define PERIOD_NS 50000

static struct task_struct *consumer;
static struct hrtimer timer;
static unsigned long rings;
static unsigned long items;
static int pending;

static noinline void ring_doorbell(void)
{
	if (!READ_ONCE(pending)) {
		WRITE_ONCE(pending, 1);
		wake_up_process(consumer);
	}
}

static enum hrtimer_restart expire(struct hrtimer *t)
{
	ring_doorbell();
	if (++rings == RINGS)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(t, ns_to_ktime(PERIOD_NS));
	return HRTIMER_RESTART;
}

static noinline void handle_item(void)
{
	WRITE_ONCE(pending, 0);
	items++;
	ndelay(20000 + items * 7919 % 40000);
}

static noinline void wait_for_item(void)
{
	if (!READ_ONCE(pending)) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule();
	}
}

static int consume(void *unused)
{
	while (!kthread_should_stop()) {
		wait_for_item();
		if (READ_ONCE(pending))
			handle_item();
	}
	return 0;
}

static int __init walk_init(void)
{
	consumer = kthread_run(consume, NULL, "walk_consumer");
	if (IS_ERR(consumer))
		return PTR_ERR(consumer);
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer.function = expire;
	hrtimer_start(&timer, ns_to_ktime(PERIOD_NS), HRTIMER_MODE_REL);
	return 0;
}

module_init(walk_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("sleeps through a wake-up");
