// SPDX-License-Identifier: MIT
// hiredis as a codec only: its reader and its formatter.
#ifndef C_ELECTION_HIREDIS_H
#define C_ELECTION_HIREDIS_H

#include <hiredis/hiredis.h>
#include <stdlib.h>

// The type of an array's length changed with 1.0.
#if HIREDIS_MAJOR >= 1
typedef size_t election_redis_count;
#else
typedef int election_redis_count;
#endif

// A reader that refuses arrays before memory is set aside for them: their lengths come from the network.
typedef struct election_redis_limits {
    redisReplyObjectFunctions functions;
    redisReplyObjectFunctions *original;
    size_t elements_left;
    int was_exceeded;
} election_redis_limits;

static inline void *election_redis_create_array(const redisReadTask *task, election_redis_count elements) {
    election_redis_limits *limits = (election_redis_limits *)task->privdata;
    if (elements > 0 && (size_t)elements > limits->elements_left) {
        limits->was_exceeded = 1;
        return NULL;
    }
    limits->elements_left -= (size_t)elements;
    return limits->original->createArray(task, elements);
}

// NULL without memory.
static inline redisReader *election_redis_reader_create(void) {
    redisReader *reader = redisReaderCreate();
    election_redis_limits *limits = (election_redis_limits *)calloc(1, sizeof(election_redis_limits));
    if (reader == NULL || limits == NULL) {
        if (reader != NULL) redisReaderFree(reader);
        free(limits);
        return NULL;
    }
    limits->functions = *reader->fn;
    limits->functions.createArray = election_redis_create_array;
    limits->original = reader->fn;
    reader->fn = &limits->functions;
    reader->privdata = limits;
    return reader;
}

static inline void election_redis_reader_free(redisReader *reader) {
    void *limits = reader->privdata;
    redisReaderFree(reader);
    free(limits);
}

// How many elements all arrays of the next reply may have.
static inline void election_redis_reader_allow(redisReader *reader, size_t elements) {
    ((election_redis_limits *)reader->privdata)->elements_left = elements;
}

static inline int election_redis_reader_was_exceeded(const redisReader *reader) {
    return ((election_redis_limits *)reader->privdata)->was_exceeded;
}

static inline const char *election_redis_reader_error(const redisReader *reader) { return reader->errstr; }

#endif
