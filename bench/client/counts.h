/* The sockets of the load client, and its counts. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum state { DOWN, CONNECTING, HANDSHAKE, OPEN, GONE };

struct client {
    int fd;
    enum state state;
    int welcomed;           /* the first frame was received */
    size_t rest_length;         /* length of `rest`, the beginning of an incomplete frame */
    char *rest;
    const char *path;
    uint64_t last_id, received;
    uint64_t due;           /* when to connect (DOWN) or to cut (OPEN), ns; 0: never */
    uint64_t heartbeat;     /* when to send the next one, ns */
    char epoch[33];
};

#define BUCKETS 3000000     /* of 10 microseconds each, together half a minute */
#define SECOND 1000000000ull

static uint32_t histogram[BUCKETS];
static struct client *clients;
static int sockets = 1;
static int open_now;
static uint64_t frames, bytes, received, duplicates, unrecovered, reads, reconnects, failures, closed, started;
static uint64_t last_ns, max_us;
static int close_code;

static uint64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static uint64_t now(void) { return now_ns(CLOCK_MONOTONIC); }

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* Counts the event in the text of a frame, if there is one, with its delay. */
static void record_event(struct client *c, const char *text, size_t length, uint64_t at) {
    const char *found = memchr(text, '@', length);
    uint64_t us;
    if (!found) return;
    us = (at - strtoull(found + 1, NULL, 10)) / 1000;
    last_ns = at;
    received++;
    c->received++;
    if (us > max_us) max_us = us;
    histogram[us / 10 < BUCKETS ? us / 10 : BUCKETS - 1]++;
}

static void reset(void) {
    frames = bytes = received = duplicates = unrecovered = reads = reconnects = failures = closed = 0;
    last_ns = max_us = 0;
    memset(histogram, 0, sizeof histogram);
    for (int i = 0; i < sockets; i++) clients[i].received = 0;
}

static double percentile(double share) {
    uint64_t seen = 0, wanted = (uint64_t)(share * (double)received);
    for (size_t i = 0; i < BUCKETS; i++)
        if ((seen += histogram[i]) > wanted) return (double)i * 10 + 5;
    return (double)max_us;
}

/* Prints one line of JSON, see Counts in bench/load.py. */
static void report(void) {
    uint64_t min_received = UINT64_MAX, max_received = 0;
    for (int i = 0; i < sockets; i++) {
        if (clients[i].received < min_received) min_received = clients[i].received;
        if (clients[i].received > max_received) max_received = clients[i].received;
    }
#define PRINT(name) printf("\"" #name "\": %llu, ", (unsigned long long)name)
    printf("{");
    PRINT(open_now); PRINT(closed); PRINT(failures); PRINT(reconnects); PRINT(frames); PRINT(bytes); PRINT(reads);
    PRINT(received); PRINT(min_received); PRINT(max_received); PRINT(duplicates); PRINT(unrecovered); PRINT(last_ns); PRINT(started);
    PRINT(max_us);
    printf("\"close_code\": %d, \"p50_us\": %.0f, \"p99_us\": %.0f, \"cpu_seconds\": %.3f}\n", close_code,
           percentile(.5), percentile(.99), (double)now_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9);
    fflush(stdout);
}
