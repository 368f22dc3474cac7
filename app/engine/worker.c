#include "app/engine/worker.h"

#include <string.h>

static void submit(void *arg, struct cv_work *work)
{
    struct cv_background *bg = arg;
    pthread_mutex_lock(&bg->lock);
    if (bg->last == NULL) {
        bg->first = work;
    } else {
        bg->last->next = work;
    }
    bg->last = work;
    pthread_cond_broadcast(&bg->changed);
    pthread_mutex_unlock(&bg->lock);
}

static void wait_for(void *arg, struct cv_work *work)
{
    struct cv_background *bg = arg;
    pthread_mutex_lock(&bg->lock);
    while (!cv_work_done(work)) {
        pthread_cond_wait(&bg->changed, &bg->lock);
    }
    pthread_mutex_unlock(&bg->lock);
}

static void *serve(void *arg)
{
    struct cv_background *bg = arg;
    pthread_mutex_lock(&bg->lock);
    while (!bg->ending || bg->first != NULL) {
        struct cv_work *work = bg->first;
        if (work == NULL) {
            pthread_cond_wait(&bg->changed, &bg->lock);
            continue;
        }
        bg->first = work->next;
        bg->last = bg->first == NULL ? NULL : bg->last;
        pthread_mutex_unlock(&bg->lock);
        cv_work_run(work);
        pthread_mutex_lock(&bg->lock);
        pthread_cond_broadcast(&bg->changed);
    }
    pthread_mutex_unlock(&bg->lock);
    return NULL;
}

bool cv_background_start(struct cv_background *bg)
{
    memset(bg, 0, sizeof(*bg));
    bg->worker = (struct cv_worker){.arg = bg, .submit = submit, .wait = wait_for};
    pthread_mutex_init(&bg->lock, NULL);
    pthread_cond_init(&bg->changed, NULL);
    return pthread_create(&bg->thread, NULL, serve, bg) == 0;
}

void cv_background_stop(struct cv_background *bg)
{
    pthread_mutex_lock(&bg->lock);
    bg->ending = true;
    pthread_cond_broadcast(&bg->changed);
    pthread_mutex_unlock(&bg->lock);
    pthread_join(bg->thread, NULL);
    pthread_mutex_destroy(&bg->lock);
    pthread_cond_destroy(&bg->changed);
}
