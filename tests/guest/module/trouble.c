// SPDX-License-Identifier: GPL-2.0
/*
 * trouble.c - what keeps a kernel from its work for some seconds: what=lockup, stall or hang
 *
 * lockup  spins without letting anybody else run: "soft lockup"
 * stall   the same inside an RCU read-side critical section: with `nowatchdog`, only RCU complains
 * hang    sleeps where no signal wakes it: "blocked for more than"
 *
 * Time passes by port reads, of which each takes a microsecond.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

static char *what = "lockup";
module_param(what, charp, 0);
static unsigned int seconds = 5;
module_param(seconds, uint, 0);

static noinline void spin(void)
{
	unsigned long n;

	for (n = 0; n < seconds * 1000000ul; n++)
		inb(0x80);
}

static int trouble(void *unused)
{
	if (!strcmp(what, "hang")) {
		schedule_timeout_uninterruptible(seconds * HZ);
		return 0;
	}
	preempt_disable();
	rcu_read_lock();
	spin();
	rcu_read_unlock();
	preempt_enable();
	return 0;
}

static int __init trouble_init(void)
{
	return PTR_ERR_OR_ZERO(kthread_run(trouble, NULL, "trouble"));
}

module_init(trouble_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("keeps the kernel from its work");
