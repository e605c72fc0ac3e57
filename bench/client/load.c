/* The load client: many WebSockets on one thread. It uses too little CPU time to affect the measurement.
 *
 *   load -p PORT -n SOCKETS [-f FILE with a path for each socket] [options]   Reads commands from stdin, see command().
 *
 * It parses frames but no JSON. The text of an event contains "@NANOSECONDS@": the sender's CLOCK_MONOTONIC when it sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "counts.h"

#define BUFFER (1 << 21)

static char buffer[BUFFER];
static int port, in_flight = 128, receive_buffer, wait_welcome, track_ids, stopped;
static double cut_seconds, down_seconds, heartbeat_seconds;
static const char *greeting = "", *heartbeat = "{\"type\":\"heartbeat\"}";
static int epoll, pending;

static void send_frame(struct client *c, int opcode, const char *text, size_t length) {
    unsigned char frame[256] = {(unsigned char)(0x80 | opcode), (unsigned char)(0x80 | length)};
    if (length > 125) return;
    memcpy(frame + 6, text, length); /* a zero mask leaves the text unchanged */
    if (write(c->fd, frame, length + 6) < 0 && errno != EAGAIN) failures++;
}

/* Closes the socket; it reconnects at `again` (0: never). */
static void drop(struct client *c, uint64_t again) {
    if (c->state == CONNECTING || c->state == HANDSHAKE) pending--;
    if (c->state == OPEN && c->welcomed) open_now--;
    close(c->fd);
    c->fd = -1;
    c->rest_length = 0;
    c->welcomed = 0;
    c->state = again ? DOWN : GONE;
    c->due = again;
}

static void open_socket(struct client *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    int one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) < 0) die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (receive_buffer) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) die("connect");
    c->state = CONNECTING;
    pending++;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0) die("epoll_ctl");
}

static void handshake(struct client *c) {
    char request[2048], resume[96] = "";
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int error = 0, length;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        failures++;
        drop(c, now() + SECOND / 10);
        return;
    }
    if (c->last_id)
        snprintf(resume, sizeof resume, "&since=%llu&epoch=%s", (unsigned long long)c->last_id, c->epoch);
    length = snprintf(request, sizeof request,
                      "GET %s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                      c->path, resume, port);
    if (write(c->fd, request, (size_t)length) != length) die("handshake");
    c->state = HANDSHAKE;
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
}

static void welcome(struct client *c) {
    uint64_t ends = (uint64_t)(cut_seconds * SECOND);
    c->welcomed = 1;
    open_now++;
    c->due = ends ? now() + ends : 0;
    c->heartbeat = now() + (uint64_t)(heartbeat_seconds * SECOND);
    if (stopped) { /* connected, and from now on it does not read */
        struct epoll_event event = {.events = 0, .data.ptr = c};
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
    }
}

static void finish_handshake(struct client *c) {
    c->state = OPEN;
    pending--;
    if (*greeting) send_frame(c, 1, greeting, strlen(greeting));
    if (!wait_welcome) welcome(c);
}

static uint64_t number_after(const char *text, size_t length, const char *name) {
    const char *found = memmem(text, length, name, strlen(name));
    return found ? strtoull(found + strlen(name), NULL, 10) : 0;
}

/* Stores the cursor of this socket, so that it can resume. Counts duplicate events and failed resumes. */
static void store_cursor(struct client *c, const char *text, size_t length) {
    static const char connection[] = "{\"type\":\"connection\"";
    uint64_t id;
    if (length > sizeof connection && !memcmp(text, connection, sizeof connection - 1)) {
        const char *epoch = memmem(text, length, "\"epoch\":\"", 9);
        if (epoch) memcpy(c->epoch, epoch + 9, 32);
        if (memmem(text, length, "\"recovered\":false", 17)) unrecovered++;
        if (!c->last_id) c->last_id = number_after(text, length, "\"last_event_id\":");
    } else if ((id = number_after(text, length, "\"id\":"))) {
        if (id <= c->last_id) duplicates++;
        else c->last_id = id;
    }
}

/* Handles one complete frame. Returns 0 if it closed the socket. */
static int frame(struct client *c, int opcode, const char *text, size_t length, uint64_t at) {
    if (opcode == 9) send_frame(c, 10, text, length);
    if (opcode == 8) {
        close_code = length >= 2 ? (unsigned char)text[0] << 8 | (unsigned char)text[1] : 1005;
        closed++;
        drop(c, 0);
        return 0;
    }
    if (opcode > 2) return 1;
    frames++;
    if (length == 1 && *text == '2') send_frame(c, 1, "3", 1); /* Engine.IO's own ping */
    if (track_ids) store_cursor(c, text, length);
    record_event(c, text, length, at);
    if (!c->welcomed) welcome(c);
    return 1;
}

/* Handles the complete frames in `length` bytes. Returns the bytes used, or -1 if the socket was closed. */
static ssize_t take_frames(struct client *c, const char *data, size_t length, uint64_t at) {
    size_t used = 0;
    while (length - used >= 2) {
        const unsigned char *head = (const unsigned char *)data + used;
        size_t size = head[1] & 127, header = size == 126 ? 4 : size == 127 ? 10 : 2;
        if (length - used < header) break;
        if (header > 2) size = 0;
        for (size_t i = 2; i < header; i++) size = size << 8 | head[i];
        if (length - used - header < size) break;
        if (!frame(c, head[0] & 15, (const char *)head + header, size, at)) return -1;
        used += header + size;
    }
    return (ssize_t)used;
}

static ssize_t take(struct client *c, size_t length, uint64_t at) {
    size_t begin = 0;
    ssize_t used;
    if (c->state == HANDSHAKE) {
        const char *end = memmem(buffer, length, "\r\n\r\n", 4);
        if (!end) return 0;
        if (strncmp(buffer, "HTTP/1.1 101", 12)) {
            failures++;
            drop(c, now() + SECOND);
            return -1;
        }
        begin = (size_t)(end + 4 - buffer);
        finish_handshake(c);
    }
    used = take_frames(c, buffer + begin, length - begin, at);
    return used < 0 ? -1 : used + (ssize_t)begin;
}

static void receive(struct client *c) {
    ssize_t bytes_read, used;
    size_t length = c->rest_length;
    if (length) memcpy(buffer, c->rest, length);
    bytes_read = read(c->fd, buffer + length, BUFFER - length);
    if (bytes_read < 0 && errno == EAGAIN) return;
    if (bytes_read <= 0) {
        closed++;
        close_code = 1006;
        drop(c, cut_seconds > 0 ? now() + SECOND / 2 : 0);
        return;
    }
    reads++;
    bytes += (uint64_t)bytes_read;
    length += (size_t)bytes_read;
    if ((used = take(c, length, now())) < 0) return;
    c->rest_length = length - (size_t)used;
    if (c->rest_length) {
        if (!(c->rest = realloc(c->rest, c->rest_length))) die("realloc");
        memcpy(c->rest, buffer + used, c->rest_length);
    }
}

/* Simulates a lost network: sends no close frame and loses data in flight. */
static void cut(struct client *c) {
    struct linger abort = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    reconnects++;
    drop(c, now() + (uint64_t)(down_seconds * SECOND));
}

static void timers(void) {
    uint64_t at = now();
    for (int i = 0; i < sockets; i++) {
        struct client *c = &clients[i];
        if (c->state == DOWN && pending < in_flight && at >= c->due) open_socket(c);
        else if (c->state == OPEN && c->due && at >= c->due) cut(c);
        else if (c->state == OPEN && heartbeat_seconds > 0 && c->welcomed && at >= c->heartbeat) {
            send_frame(c, 1, heartbeat, strlen(heartbeat));
            c->heartbeat = at + (uint64_t)(heartbeat_seconds * SECOND);
        }
    }
}

static void handle_sockets(int milliseconds) {
    static uint64_t timers_due;
    struct epoll_event events[512];
    int count = epoll_wait(epoll, events, 512, milliseconds);
    for (int i = 0; i < count; i++) {
        struct client *c = events[i].data.ptr;
        if (c->state == CONNECTING) handshake(c);
        else if (c->state == HANDSHAKE || c->state == OPEN) receive(c);
    }
    if (now() >= timers_due) {
        timers();
        timers_due = now() + SECOND / 100;
    }
}

/* Waits until `wanted` events were received in total, none came for `quiet` ms, or `max_ms` have passed. */
static void wait_for(uint64_t wanted, uint64_t quiet, uint64_t max_ms) {
    uint64_t seen = received, start = now(), since = start;
    while (received < wanted && now() - since < quiet * 1000000 && now() - start < max_ms * 1000000) {
        handle_sockets(10);
        if (received != seen) {
            seen = received;
            since = now();
        }
    }
    report();
}

/* reset | wait EVENTS QUIET_MS MAX_MS | stats | read (start reading again) | end */
static void command(const char *line) {
    unsigned long long wanted, quiet, max_ms;
    if (!strncmp(line, "reset", 5)) {
        reset();
        report();
    } else if (sscanf(line, "wait %llu %llu %llu", &wanted, &quiet, &max_ms) == 3) {
        wait_for(wanted, quiet, max_ms);
    } else if (!strncmp(line, "stats", 5)) {
        report();
    } else if (!strncmp(line, "read", 4)) {
        stopped = 0;
        for (int i = 0; i < sockets; i++) {
            struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
            if (clients[i].state == OPEN) epoll_ctl(epoll, EPOLL_CTL_MOD, clients[i].fd, &event);
        }
        report();
    } else {
        exit(0);
    }
}

static void read_paths(const char *name) {
    FILE *file = name ? fopen(name, "r") : NULL;
    char *line = NULL;
    size_t size = 0;
    if (name && !file) die(name);
    for (int i = 0; i < sockets; i++) {
        ssize_t length = file ? getline(&line, &size, file) : -1;
        if (length > 0) line[length - 1] = 0;
        clients[i].path = length > 0 ? strdup(line) : i ? clients[i - 1].path : "/";
    }
}

static void options(int count, char **arguments) {
    const char *paths = NULL;
    for (int option; (option = getopt(count, arguments, "p:n:f:g:b:j:r:c:d:wks")) != -1;) {
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'n': sockets = atoi(optarg); break;
        case 'f': paths = optarg; break;
        case 'g': greeting = optarg; break;                /* sent once connected */
        case 'b': heartbeat_seconds = atof(optarg); break;
        case 'j': in_flight = atoi(optarg); break;         /* handshakes at once */
        case 'r': receive_buffer = atoi(optarg); break;
        case 'c': cut_seconds = atof(optarg); break;       /* how long a socket is connected before each cut */
        case 'd': down_seconds = atof(optarg); break;
        case 'w': wait_welcome = 1; break;                 /* a socket is open once its first frame was received */
        case 'k': track_ids = 1; break;
        case 's': stopped = 1; break;                      /* does not read */
        default: exit(2);
        }
    }
    clients = calloc((size_t)sockets, sizeof *clients);
    read_paths(paths);
}

int main(int count, char **arguments) {
    char line[256];
    struct pollfd input = {.fd = 0, .events = POLLIN};
    options(count, arguments);
    if ((epoll = epoll_create1(0)) < 0) die("epoll_create1");
    started = now();
    while (open_now < sockets && now() - started < 60 * SECOND) handle_sockets(10);
    /* Spreads the first cuts over `cut_seconds`, so that they do not come at once. */
    for (int i = 0; i < sockets; i++)
        if (clients[i].due) clients[i].due = now() + (uint64_t)(cut_seconds * SECOND * (i + 1) / sockets);
    started = now() - started;
    report();
    for (;;) {
        handle_sockets(5);
        if (poll(&input, 1, 0) > 0) {
            if (!fgets(line, sizeof line, stdin)) return 0;
            command(line);
        }
    }
}
