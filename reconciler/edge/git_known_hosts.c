#include "git_priv.h"

#include "cleanup.h"

#include <ctype.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

/* One word of a line; false at its end. */
static bool next_word(const char **at, const char *end, const char **ret, size_t *ret_size)
{
    while (*at < end && (**at == ' ' || **at == '\t' || **at == '\r'))
        ++*at;
    *ret = *at;
    while (*at < end && **at != ' ' && **at != '\t' && **at != '\r')
        ++*at;
    *ret_size = (size_t)(*at - *ret);
    return *ret_size > 0;
}

/* *ret is malloc()ed; false if it is not base64. */
static bool decode(const char *text, size_t size, uint8_t **ret, size_t *ret_size)
{
    struct base64_decode_ctx ctx;
    uint8_t *bytes = malloc(BASE64_DECODE_LENGTH(size) + 1);

    if (!bytes)
        abort();
    base64_decode_init(&ctx);
    *ret_size = BASE64_DECODE_LENGTH(size);
    if (base64_decode_update(&ctx, ret_size, bytes, size, text) && base64_decode_final(&ctx)) {
        *ret = bytes;
        return true;
    }
    free(bytes);
    return false;
}

/* "|1|SALT|HASH": HMAC-SHA1 of the name with the salt. */
static bool hashed_matches(const char *pattern, size_t size, const char *name)
{
    gp_cleanup(gp_free_p) uint8_t *salt = NULL, *hash = NULL;
    size_t salt_size, hash_size;
    const char *bar = memchr(pattern, '|', size);
    struct hmac_sha1_ctx hmac;
    uint8_t digest[SHA1_DIGEST_SIZE];

    if (!bar || !decode(pattern, (size_t)(bar - pattern), &salt, &salt_size) ||
        !decode(bar + 1, size - (size_t)(bar + 1 - pattern), &hash, &hash_size))
        return false;
    hmac_sha1_set_key(&hmac, salt_size, salt);
    hmac_sha1_update(&hmac, strlen(name), (const uint8_t *)name);
    hmac_sha1_digest(&hmac, sizeof digest, digest);
    return hash_size == sizeof digest && memcmp(hash, digest, sizeof digest) == 0;
}

/* Comma-separated patterns; one with '!' that matches rules the line out. */
static bool names_match(const char *names, size_t size, const char *name)
{
    gp_cleanup(gp_free_p) char *copy = strndup(names, size);
    char *save = NULL;
    bool matches = false;

    if (!copy)
        abort();
    if (strncmp(copy, "|1|", 3) == 0)
        return hashed_matches(copy + 3, size - 3, name);
    for (char *pattern = strtok_r(copy, ",", &save); pattern;
         pattern = strtok_r(NULL, ",", &save)) {
        for (char *c = pattern; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        if (*pattern == '!' && gp_glob_match(pattern + 1, name))
            return false;
        matches = matches || gp_glob_match(pattern, name);
    }
    return matches;
}

enum gp_known gp_known_hosts_check(const char *text, size_t size, const char *host, uint16_t port,
                                   const void *key, size_t key_size)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    char *name = port == 22 ? gp_strdup(mem, host) : gp_printf(mem, "[%s]:%u", host, port);
    enum gp_known known = GP_KNOWN_NO;

    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    for (const char *line = text, *end; line < text + size; line = end + 1) {
        const char *at = line, *word, *marker = NULL;
        gp_cleanup(gp_free_p) uint8_t *bytes = NULL;
        size_t word_size, marker_size = 0, bytes_size;
        bool matches, revoked;

        end = memchr(line, '\n', (size_t)(text + size - line));
        end = end ? end : text + size;
        if (!next_word(&at, end, &word, &word_size) || *word == '#')
            continue;
        if (*word == '@') {
            marker = word;
            marker_size = word_size;
            if (!next_word(&at, end, &word, &word_size))
                continue;
        }
        matches = names_match(word, word_size, name);
        revoked = marker && marker_size == 8 && strncmp(marker, "@revoked", 8) == 0;
        if (!matches || (marker && !revoked) || !next_word(&at, end, &word, &word_size) ||
            !next_word(&at, end, &word, &word_size) ||
            !decode(word, word_size, &bytes, &bytes_size))
            continue;
        matches = bytes_size == key_size && memcmp(bytes, key, key_size) == 0;
        if (matches && revoked)
            return GP_KNOWN_REVOKED; /* wherever in the file it stands */
        if (matches)
            known = GP_KNOWN_YES;
        else if (!revoked && known == GP_KNOWN_NO)
            known = GP_KNOWN_CHANGED;
    }
    return known;
}

const char *gp_ssh_fingerprint(struct gp_arena *mem, const void *key, size_t key_size)
{
    struct sha256_ctx sha;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char text[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1];

    sha256_init(&sha);
    sha256_update(&sha, key_size, key);
    sha256_digest(&sha, sizeof digest, digest);
    base64_encode_raw(text, sizeof digest, digest);
    text[sizeof text - 1] = '\0';
    text[strcspn(text, "=")] = '\0';
    return gp_printf(mem, "SHA256:%s", text);
}

const char *gp_ssh_key_type(struct gp_arena *mem, const void *key, size_t key_size)
{
    const uint8_t *bytes = key;
    uint32_t size;

    if (key_size < 4)
        return "unknown";
    size = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    if (size > key_size - 4 || size > 64)
        return "unknown";
    return gp_strndup(mem, (const char *)bytes + 4, size);
}
