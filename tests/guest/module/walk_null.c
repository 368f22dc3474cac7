// SPDX-License-Identifier: GPL-2.0
/*
 * walk_null.c - a driver with a bug: power saving takes the buffer of one port too many.
 *
 * Four ports. Port 0 gets a frame every 10 ms, port 2 one every 2 s, port 1 none: after half a second it is put to
 * sleep, and by a wrong bound port 2 with it. That store is the cause. The oops comes a second and a half later, in a
 * worker that did nothing wrong, when the next frame of port 2 arrives.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#define PORTS 4

struct frame_buffer {
	unsigned long frames;
	unsigned long bytes;
};

struct port {
	struct frame_buffer *rx;
	unsigned long idle_ticks;
};

static struct port ports[PORTS];
static unsigned long ticks;

static noinline void receive_frame(struct port *port, unsigned long bytes)
{
	struct frame_buffer *buffer = port->rx;

	buffer->bytes += bytes;
	buffer->frames++;
	port->idle_ticks = 0;
}

static noinline void power_down(unsigned int first, unsigned int count)
{
	unsigned int i;

	for (i = first; i <= first + count; i++) {
		kfree(ports[i].rx);
		ports[i].rx = NULL;
	}
}

static void poll_wire(struct work_struct *work);
static void save_power(struct work_struct *work);
static DECLARE_DELAYED_WORK(wire, poll_wire);
static DECLARE_DELAYED_WORK(saver, save_power);

static void poll_wire(struct work_struct *work)
{
	ticks++;
	receive_frame(&ports[0], 64);
	if (ticks % 200 == 0)
		receive_frame(&ports[2], 1500);
	schedule_delayed_work(&wire, HZ / 100);
}

static void save_power(struct work_struct *work)
{
	power_down(1, 1);
}

static int __init walk_init(void)
{
	unsigned int i;

	for (i = 0; i < PORTS; i++) {
		ports[i].rx = kzalloc(sizeof(*ports[i].rx), GFP_KERNEL);
		if (!ports[i].rx)
			return -ENOMEM;
	}
	schedule_delayed_work(&wire, HZ / 100);
	schedule_delayed_work(&saver, HZ / 2);
	return 0;
}

module_init(walk_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("loses the buffer of a port long before it needs it");
