/*
 * chain.c - leaving a block: direct links, the jump cache, and the stubs out of line
 *
 * A direct jump inside the guest page is a jmp that C patches once the target exists. It
 * stays right for as long as both blocks live, since whoever runs the first has the page
 * mapped here. Everything else asks the jump cache of the current TLB set, which C fills
 * after it has translated the fetch; whatever changes a mapping clears it. Its entries
 * hold minus the address, so that one lea compares.
 *
 * A stub is `call leave`, followed by struct cv_site: the return address finds it.
 */
#include "core/translate/build.h"
#include "core/base/check.h"
#include "core/base/mem.h"

#define SET(field) ((int32_t)offsetof(struct cv_tlbset, field) - 12)
#define JUMP_RIP   (SET(jump) + (int32_t)offsetof(struct cv_tlb_jump, rip))
#define JUMP_HOST  (SET(jump) + (int32_t)offsetof(struct cv_tlb_jump, host))

struct cv_stub *cv_chain_stub(struct cv_build *t, unsigned kind)
{
    CV_ASSERT(t->stubs < CV_SITES_MAX);
    struct cv_stub *s = &t->stub[t->stubs++];
    *s = (struct cv_stub){.kind = (uint8_t)kind,
                          .k = (uint8_t)t->k,
                          .mask = t->pending,
                          .rip = t->rip[t->k],
                          .acc = t->shadow_k == t->k ? CV_SITE_SHADOW : 0,
                          .reg = HR_NONE};
    return s;
}

static struct cv_stub *leave_for(struct cv_build *t, unsigned kind, cv_gva rip)
{
    struct cv_stub *s = cv_chain_stub(t, kind);
    s->k = (uint8_t)t->n;
    s->mask = 0;
    s->acc = 0;
    s->rip = rip;
    return s;
}

struct cv_stub *cv_chain_head(struct cv_build *t)
{
    return leave_for(t, CV_LEFT_HEAD, t->b->gva);
}

static uint32_t emit_branch(struct cv_build *t, int cc)
{
    return cc < 0 ? cv_emit_jmp32(&t->e) : cv_emit_jcc32(&t->e, (unsigned)cc);
}

/* jump cache, address known: S0 = 0 on a match */
static void jump_elsewhere(struct cv_build *t, cv_gva target)
{
    struct cv_emit *e = &t->e;
    int32_t slot = (int32_t)(cv_jump_slot(target) * sizeof(struct cv_tlb_jump));
    cv_emit_load(e, HR_S0, cv_rm_mem(HR_TLB, JUMP_RIP + slot));
    if ((int64_t)target == (int32_t)target) {
        cv_emit_lea(e, HR_S0, cv_rm_mem(HR_S0, (int32_t)target));
    } else {
        cv_emit_imm(e, HR_T1, target);
        cv_emit_lea(e, HR_S0, cv_rm_sib(HR_S0, HR_T1, 1, 0));
    }
    uint32_t hit = cv_emit_jrcxz(e);
    leave_for(t, CV_LEFT_JUMP, target)->patch = cv_emit_jmp32(e);
    cv_emit_here8(e, hit);
    cv_emit_jmp_rm(e, cv_rm_mem(HR_TLB, JUMP_HOST + slot));
}

void cv_chain_direct(struct cv_build *t, cv_gva target, int cc)
{
    const struct cv_exec_config *config = &t->x->config;
    bool same_page = (target ^ t->page_gva) >> CV_PAGE_SHIFT == 0 && !t->crossing;
    if (config->no_chain || config->flush_each_block) {
        uint32_t patch = emit_branch(t, cc);
        leave_for(t, CV_LEFT_JUMP, target)->patch = patch;
    } else if (same_page) {
        uint32_t patch = emit_branch(t, cc);
        struct cv_stub *s = leave_for(t, CV_LEFT_LINK, target);
        s->patch = patch;
        s->ref = t->index * 2 + t->exits;
        CV_ASSERT(t->exits < 2);
        t->b->exit[t->exits++].patch = patch;
    } else if (cc >= 0) {
        uint32_t skip = emit_branch(t, cc ^ 1);
        jump_elsewhere(t, target);
        cv_emit_link32(&t->e, skip, t->e.pos);
    } else {
        jump_elsewhere(t, target);
    }
}

struct cv_rm cv_chain_lookup(struct cv_build *t)
{
    struct cv_emit *e = &t->e;
    struct cv_stub *s = cv_chain_stub(t, CV_LEFT_INTERP);
    if (t->x->config.no_chain || t->x->config.flush_each_block) {
        s->patch = cv_emit_jmp32(e);
        return cv_rm_frame(FR(tmp0)); /* never reached */
    }
    cv_emit_pext(e, HR_T2, HR_T1, cv_rm_frame(FR(jump_mask)));
    cv_emit_lea32(e, HR_T2, cv_rm_sib(HR_T2, HR_T2, 1, 0));
    cv_emit_load(e, HR_S0, cv_rm_sib(HR_TLB, HR_T2, 8, JUMP_RIP));
    cv_emit_lea(e, HR_S0, cv_rm_sib(HR_S0, HR_T1, 1, 0));
    uint32_t hit = cv_emit_jrcxz(e);
    s->patch = cv_emit_jmp32(e);
    cv_emit_here8(e, hit);
    return cv_rm_sib(HR_TLB, HR_T2, 8, JUMP_HOST);
}

static void emit_stub(struct cv_build *t, struct cv_stub *s)
{
    struct cv_emit *e = &t->cold;
    struct cv_site site = {.rip = s->rip,
                           .ref = s->ref,
                           .undo = (uint8_t)(t->n - s->k),
                           .mask = s->mask,
                           .acc = s->acc,
                           .size = s->size};
    uint32_t start = e->pos;
    if (s->kind != CV_LEFT_TRAP) {
        if (s->patch != 0) {
            cv_emit_link32(e, s->patch, start);
        }
        if (s->kind == CV_LEFT_LINK) {
            t->b->exit[s->ref % 2].stub = start;
        } else if (s->kind == CV_LEFT_HEAD) {
            t->b->head_stub = start;
        } else if (s->constant) {
            cv_emit_imm(e, HR_T1, s->gva);
        } else if (s->reg != HR_NONE) {
            cv_emit_mov(e, HR_T1, s->reg);
        }
        cv_emit_call_to(e, t->x->leave_at[s->kind]);
    }
    s->patch = e->pos; /* from now on: where its site stands */
    cv_emit_bytes(e, &site, sizeof(site));
}

void cv_chain_emit_stubs(struct cv_build *t)
{
    struct cv_emit *e = &t->cold;
    for (unsigned i = 0; i < t->stubs; i++) {
        emit_stub(t, &t->stub[i]);
    }
    while (e->pos % 4 != 0) {
        cv_emit_u8(e, 0xcc);
    }
    t->b->sites = e->pos;
    for (unsigned i = 0; i < t->stubs; i++) { /* in the order of their host pc */
        const struct cv_stub *s = &t->stub[i];
        if (s->kind == CV_LEFT_SLOW || s->kind == CV_LEFT_TRAP) {
            cv_emit_u32(e, s->patch);
            t->b->site_count++;
        }
    }
}
