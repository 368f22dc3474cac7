/*
 * format.h - what stands in a trace file: constants and structures, byte for byte
 *
 * All numbers are little endian; every structure has fixed widths, no padding, and
 * hand-numbered kinds. docs/trace-format.md is the same in prose. Touching any of this
 * bumps CV_TRACE_VERSION, adds a golden trace and edits that page. Every byte of a file
 * is covered by a hash or zero.
 *
 *   0      superblock A      4096 bytes
 *   4096   superblock B      4096 bytes
 *   8192   chunk, chunk, ... each a 64-byte header and its payload, without gaps
 *   (while recording) a gap of zeros, then two journal slots: the open tail
 */
#ifndef CV_RECORD_FORMAT_H
#define CV_RECORD_FORMAT_H

#include "core/base/types.h"

#define CV_TRACE_VERSION 1u
#define CV_MACHINE_EPOCH 2u /* bumped on any change that a guest can see */

/* -- superblock ---------------------------------------------------------------------- */

#define CV_SUPER_MAGIC   "CVTRACE\x1a" /* 8 bytes */
#define CV_SUPER_BYTES   4096u
#define CV_SUPER_SLOTS   2u
#define CV_CHUNKS_OFFSET 8192u
#define CV_TOOL_BYTES    64u

struct cv_super {
    uint8_t magic[8];
    uint32_t version;   /* CV_TRACE_VERSION */
    uint32_t epoch;     /* CV_MACHINE_EPOCH */
    uint64_t incompat;  /* feature words: unknown bits here refuse the file, */
    uint64_t ro_compat; /* here allow reading, */
    uint64_t compat;    /* here mean nothing */
    uint8_t uuid[16];
    uint64_t generation;  /* the valid slot with the higher one counts */
    uint64_t base_offset; /* the first chunk of the first valid base: a machine chunk */
    uint64_t base_seq;    /* its sequence number */
    uint64_t base_previous; /* what it names as previous: at seq 0 hash of the uuid */
    uint8_t tool[CV_TOOL_BYTES]; /* build id of the recorder; NUL-padded */
    uint8_t zero[CV_SUPER_BYTES - 160];
    uint64_t hash; /* XXH3-64 of the 4088 bytes before */
};
CV_STATIC_ASSERT(sizeof(struct cv_super) == CV_SUPER_BYTES, "superblock layout");
CV_STATIC_ASSERT(offsetof(struct cv_super, zero) == 152, "superblock layout");

/* -- chunks -------------------------------------------------------------------------- */

#define CV_CHUNK_MAGIC   0x4b435643u /* "CVCK" */
#define CV_CHUNK_RAW_MAX (1u << 20)

/* hand-numbered: they stand in files */
enum cv_chunk_type {
    CV_CHUNK_MACHINE = 1,
    CV_CHUNK_IMAGE = 2,
    CV_CHUNK_DISK = 3, /* reserved */
    CV_CHUNK_EVENTS = 4,
    CV_CHUNK_DIGESTS = 5,
    CV_CHUNK_KEY_FRAME = 6, /* a stored checkpoint on the state at power-on */
    CV_CHUNK_DELTA = 7,     /* one on an earlier stored checkpoint */
    CV_CHUNK_MARKS = 8,
    CV_CHUNK_THUMBNAILS = 9, /* reserved */
    CV_CHUNK_NOTES = 10,
    CV_CHUNK_INDEX = 11,
    CV_CHUNK_END = 12,
};

struct cv_chunk_header {
    uint32_t magic;
    uint32_t type; /* enum cv_chunk_type */
    uint64_t seq;
    uint32_t raw_len;      /* <= CV_CHUNK_RAW_MAX */
    uint32_t stored_len;   /* == raw_len: as is; less: one LZ4 block */
    uint64_t first, last;  /* icounts it covers */
    uint64_t previous;     /* header_hash of the chunk before */
    uint64_t payload_hash; /* XXH3-64 of the stored bytes, seed = seq */
    uint64_t header_hash;  /* XXH3-64 of the 56 bytes before, seed = magic */
};
CV_STATIC_ASSERT(sizeof(struct cv_chunk_header) == 64, "chunk header layout");

/* -- machine and image chunks -------------------------------------------------------- */

#define CV_MACHINE_LAYOUT       1u
#define CV_MACHINE_FINE_DIGESTS 1u /* flag */

struct cv_machine_record { /* then append_len bytes of the kernel command line, no NUL */
    uint32_t layout;
    uint32_t cpus;
    uint64_t ram_bytes;
    uint64_t seed;
    int64_t rtc_epoch;
    uint32_t on_reset;
    uint32_t flags;
    uint64_t kernel_len, initrd_len;
    uint64_t kernel_hash, initrd_hash; /* XXH3-64, seed = kind */
    uint32_t digest_log2;              /* 20: steps between digests */
    uint32_t digest_full_log2;         /* 24 */
    uint32_t append_len;
    uint32_t zero;
};
CV_STATIC_ASSERT(sizeof(struct cv_machine_record) == 88, "machine record layout");

struct cv_image_record { /* then bytes of the image */
    uint32_t kind;       /* enum cv_image_kind */
    uint32_t zero;
    uint64_t total_len;
    uint64_t offset; /* of the bytes that follow; parts come in order */
};
CV_STATIC_ASSERT(sizeof(struct cv_image_record) == 24, "image record layout");

#define CV_IMAGE_PART_BYTES (CV_CHUNK_RAW_MAX - 4096u)
#define CV_IMAGES_MAX_BYTES (512ull << 20) /* all images of one trace */

/* -- events, digests, marks ---------------------------------------------------------- */

struct cv_stream_record { /* head of an events or digests chunk; then items */
    uint64_t first_index; /* of the first item in its stream */
    uint64_t
        events; /* events chunk: 0; digests chunk: events logged before its last item */
    uint64_t last_vtime; /* the clock at the last item */
    uint32_t count;
    uint32_t zero;
};
CV_STATIC_ASSERT(sizeof(struct cv_stream_record) == 32, "stream layout");

/* Flags of an event: how the machine came to its position (docs/trace-format.md "Events")
 */
#define CV_EVENT_PHASE_IDLE 1u /* PHASE_IDLE, else PHASE_STEP */
#define CV_EVENT_RAN        2u /* idled at this icount after the event before */
#define CV_EVENT_SERVED     4u /* and that idling was at this very vtime */
#define CV_EVENT_RESET                                                                   \
    8u /* the guest was reset at this icount after the event before                      \
        */
#define CV_EVENT_FLAGS 15u

#define CV_DIGEST_LOG2      20u
#define CV_DIGEST_FULL_LOG2 24u

struct cv_mark_record {
    uint64_t icount;
    uint32_t kind; /* enum cv_mark_kind */
    uint32_t vector;
    uint64_t rip, cr2;
    uint8_t name[64]; /* NUL-padded */
};
CV_STATIC_ASSERT(sizeof(struct cv_mark_record) == 96, "mark record layout");
#define CV_MARKS_MAX 4096u

/* -- stored checkpoints -------------------------------------------------------------- */

#define CV_COMPAT_STORED 1u /* compat bit: the recorder was to store checkpoints */

/* Head of a key frame or delta chunk. Behind it stand, without gaps: the state image, the
 * open exceptions, the pages (4096 bytes each), their numbers, the numbers of pages
 * that are all zero (u32 each; gpa >> 12), and with CV_STORED_COPIES a u32 count, u32 0 and
 * so many copies. */
struct cv_stored_record {
    uint64_t icount; /* where it stands: the chunk header's last */
    uint64_t base;   /* icount of the one it builds on, 0: power-on; the header's first */
    uint64_t events; /* logged before it */
    uint64_t chain_lo, chain_hi; /* of the digests, before the fold at icount */
    uint32_t part;               /* 0, 1, ... of this stored checkpoint */
    uint32_t flags;              /* CV_STORED_* */
    uint32_t state_len, open;    /* part 0 only, else 0 */
    uint32_t pages, zeros;
};
CV_STATIC_ASSERT(sizeof(struct cv_stored_record) == 64, "stored record layout");
#define CV_STORED_LAST   1u /* the last part */
#define CV_STORED_COPIES 2u

struct cv_stored_copy { /* a page that is 4096 bytes of an image */
    uint32_t number;
    uint32_t kind; /* enum cv_image_kind: the kernel */
    uint64_t offset;
};
CV_STATIC_ASSERT(sizeof(struct cv_stored_copy) == 16, "stored copy layout");

struct cv_stored_open { /* what may yet prove to be the crash */
    uint64_t icount;
    uint64_t rip, frame, cr2;
    uint32_t kind; /* CV_MARK_EXCEPTION: not returned from so far; CV_MARK_PVPANIC: the
                      last one */
    uint32_t vector;
};
CV_STATIC_ASSERT(sizeof(struct cv_stored_open) == 40, "stored open layout");
#define CV_STORED_OPEN_MAX 65u

/* -- index and end ------------------------------------------------------------------- */

struct cv_index_record { /* one for each chunk before it */
    uint64_t offset;
    uint64_t first;
    uint32_t type;
    uint32_t zero;
};
CV_STATIC_ASSERT(sizeof(struct cv_index_record) == 24, "index record layout");

struct cv_end_record {
    uint64_t icount, vtime;
    uint32_t flags;  /* CV_EVENT_*, for the end as if it were an event */
    uint32_t reason; /* enum cv_vm_end */
    uint32_t guest_exit;
    uint32_t failed; /* 1: sealed because a write failed */
    uint64_t events, digests;
};
CV_STATIC_ASSERT(sizeof(struct cv_end_record) == 48, "end record layout");

/* -- the open tail ------------------------------------------------------------------- */

#define CV_JOURNAL_MAGIC  "CVJOURN\x1a" /* 8 bytes */
#define CV_JOURNAL_BYTES  (256u << 10)  /* one slot, header included */
#define CV_JOURNAL_SLOTS  2u
#define CV_JOURNAL_ALIGN  4096u
#define CV_JOURNAL_GAP    (2u << 20)  /* room for chunks before the slots */
#define CV_JOURNAL_SEARCH (16u << 20) /* how far behind the last chunk a reader looks */

struct cv_journal_header {
    uint8_t magic[8];
    uint64_t generation;      /* 1, 2, ...: which slot is newer */
    uint64_t file_hash;       /* XXH3-64 of the uuid */
    uint64_t events, digests; /* how many of each stand before this journal's first */
    uint64_t
        last_icount; /* of the last digest before (0: none): digests stand on the grid */
    uint64_t zero;
    uint64_t hash; /* XXH3-64 of the 56 bytes before; seed of every frame's hash */
};
CV_STATIC_ASSERT(sizeof(struct cv_journal_header) == 64, "journal header layout");

enum cv_frame_kind { CV_FRAME_EVENT = 1, CV_FRAME_DIGEST = 2, CV_FRAME_MARK = 3 };

struct cv_frame_header { /* then len bytes */
    uint32_t len;
    uint16_t kind;
    uint16_t zero;
    uint32_t number; /* 0, 1, ... in this journal */
    uint32_t zero2;
    uint64_t hash; /* XXH3-64 of the 16 bytes before and the payload, seed = journal hash
                      + number */
};
CV_STATIC_ASSERT(sizeof(struct cv_frame_header) == 24, "frame header layout");

#endif
