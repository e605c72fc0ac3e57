/* The limit of the kernel, one event at a time: sends each message of a client to all others, one write() per socket.
 *
 *   one_write PORT
 *
 * Implements only what the measurement needs of RFC 6455: no accept key, no ping, frames up to 64 KB with a zero mask.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MAX_FDS 20000
static unsigned char buffer[1 << 20];
static size_t rest_length[MAX_FDS];
static unsigned char *rest[MAX_FDS];
static char joined[MAX_FDS];
static int highest;

static void leave(int fd) {
    joined[fd] = 0;
    rest_length[fd] = 0;
    close(fd);
}

static void broadcast(int from, const unsigned char *frame, size_t length) {
    for (int fd = 0; fd <= highest; fd++)
        if (joined[fd] && fd != from && write(fd, frame, length) < 0) leave(fd);
}

/* Forwards the complete frames in the buffer, unmasked. Returns the bytes used. */
static size_t relay(int fd, size_t length) {
    size_t used = 0;
    while (length - used >= 8) {
        unsigned char *head = buffer + used, *out;
        size_t size = head[1] & 127, header = size == 126 ? 8 : 6;
        if (header == 8) size = (size_t)head[2] << 8 | head[3];
        if (length - used < header + size) break;
        out = head + 4; /* the unmasked header, moved up over the mask */
        memmove(out, head, header - 4);
        out[1] &= 127;
        if ((head[4] & 15) == 1) broadcast(fd, out, header - 4 + size);
        used += header + size;
    }
    return used;
}

static void receive(int fd) {
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    size_t length = rest_length[fd], used;
    ssize_t bytes_read;
    memcpy(buffer, rest[fd], length);
    if ((bytes_read = read(fd, buffer + length, sizeof buffer - length)) <= 0) {
        leave(fd);
        return;
    }
    length += (size_t)bytes_read;
    if (!joined[fd]) {
        joined[fd] = 1; /* the whole request is in the first packet */
        if (write(fd, answer, sizeof answer - 1) < 0) leave(fd);
        return;
    }
    used = relay(fd, length);
    rest_length[fd] = length - used;
    if (rest_length[fd] && !(rest[fd] = realloc(rest[fd], rest_length[fd]))) exit(1);
    memcpy(rest[fd], buffer + used, rest_length[fd]);
}

static void admit(int epoll, int listener) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd < 0) return;
    if (fd >= MAX_FDS) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fd > highest) highest = fd;
    if (!rest[fd] && !(rest[fd] = malloc(1))) exit(1);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(int count, char **arguments) {
    struct sockaddr_in here = {.sin_family = AF_INET};
    struct epoll_event events[256], event = {.events = EPOLLIN};
    int one = 1, epoll = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (count != 2) return 2;
    here.sin_port = htons((unsigned short)atoi(arguments[1]));
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 4096)) return 1;
    event.data.fd = listener;
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++)
            if (events[i].data.fd == listener) admit(epoll, listener);
            else receive(events[i].data.fd);
    }
}
