/* Tells udev's listeners of a device event, as udevd does after its rules.
 *
 *   send-uevent ACTION=change DEVPATH=/devices/... SUBSYSTEM=pci SEQNUM=1 [KEY=VALUE]...
 *
 * The message goes to group 2 of NETLINK_KOBJECT_UEVENT in this network namespace, where
 * sd_device_monitor listens by default. Needs root: listeners take it from nobody else. They filter
 * by the hashes in its header before they read it. Fact: systemd
 * src/libsystemd/sd-device/device-monitor.c (252), struct monitor_netlink_header. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    GROUP_UDEV = 2,
    BODY_MAX = 8192,
};

struct header {
    char prefix[8];
    uint32_t magic; /* this, the hashes and the filter: big endian */
    uint32_t header_size;
    uint32_t properties_offset, properties_length;
    uint32_t subsystem_hash, devtype_hash;
    uint32_t tag_bloom_high, tag_bloom_low;
};

/* MurmurHash2 with seed 0, reading little endian, as the listeners compute it. */
static uint32_t hash(const char *text, size_t length)
{
    const uint32_t factor = 0x5bd1e995;
    const unsigned char *bytes = (const unsigned char *)text;
    uint32_t sum = (uint32_t)length;

    for (; length >= 4; bytes += 4, length -= 4) {
        uint32_t word = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                        (uint32_t)bytes[3] << 24;
        word *= factor;
        word ^= word >> 24;
        sum = (sum * factor) ^ (word * factor);
    }
    if (length) {
        for (size_t i = length; i-- > 0;)
            sum ^= (uint32_t)bytes[i] << (8 * i);
        sum *= factor;
    }
    sum ^= sum >> 13;
    sum *= factor;
    return sum ^ sum >> 15;
}

static uint64_t tag_bloom(const char *tags)
{
    uint64_t bits = 0;

    while (*tags) {
        size_t length = strcspn(tags, ":");
        if (length) {
            uint32_t sum = hash(tags, length);
            for (unsigned shift = 0; shift <= 18; shift += 6)
                bits |= UINT64_C(1) << (sum >> shift & 63);
        }
        tags += length + (tags[length] == ':');
    }
    return bits;
}

static const char *value_of(const char *property, const char *key)
{
    size_t length = strlen(key);

    return !strncmp(property, key, length) && property[length] == '=' ? property + length + 1
                                                                      : NULL;
}

static void note_filters(struct header *header, const char *property)
{
    const char *value;

    if ((value = value_of(property, "SUBSYSTEM")))
        header->subsystem_hash = htonl(hash(value, strlen(value)));
    if ((value = value_of(property, "DEVTYPE")))
        header->devtype_hash = htonl(hash(value, strlen(value)));
    if ((value = value_of(property, "TAGS"))) {
        uint64_t bits = tag_bloom(value);
        header->tag_bloom_high = htonl((uint32_t)(bits >> 32));
        header->tag_bloom_low = htonl((uint32_t)bits);
    }
}

static int send_message(struct header *header, char *body, size_t length)
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK};
    struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = GROUP_UDEV};
    struct iovec parts[] = {{header, sizeof(*header)}, {body, length}};
    struct msghdr message = {
        .msg_name = &all, .msg_namelen = sizeof(all), .msg_iov = parts, .msg_iovlen = 2};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
        return -1;
    /* Nobody listening is no mistake of the sender's. */
    if (sendmsg(fd, &message, 0) < 0 && errno != ECONNREFUSED)
        return -1;
    return 0;
}

int main(int argc, char *argv[])
{
    struct header header = {
        .prefix = "libudev", .magic = htonl(0xfeedcafe), .header_size = sizeof(header)};
    static char body[BODY_MAX];
    size_t length = 0;

    for (int i = 1; i < argc; i++) {
        size_t size = strlen(argv[i]) + 1;
        if (!strchr(argv[i], '=') || size > sizeof(body) - length) {
            fprintf(stderr, "send-uevent: '%s' is not KEY=VALUE, or is too long\n", argv[i]);
            return 64;
        }
        memcpy(body + length, argv[i], size);
        length += size;
        note_filters(&header, argv[i]);
    }
    if (!header.subsystem_hash) {
        fputs("usage: send-uevent ACTION=A DEVPATH=P SUBSYSTEM=S SEQNUM=N [KEY=VALUE]...\n",
              stderr);
        return 64;
    }
    header.properties_offset = sizeof(header);
    header.properties_length = (uint32_t)length;
    if (send_message(&header, body, length) < 0) {
        perror("send-uevent");
        return 1;
    }
    return 0;
}
