/* A small JSON writer over a stdio file: commas and quotes are its business, what to say is the
 * caller's. */
#ifndef EMBEDCACHE_CLI_JSON_EMIT_H
#define EMBEDCACHE_CLI_JSON_EMIT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct emitter {
    FILE *file;
    int needs_comma;
};

#define EMITTER(file)                                                                              \
    {                                                                                              \
        (file), 0                                                                                  \
    }

enum { DECIMAL_BYTES = 24 };

/* '{' or '[' ... and its end. */
void emit_begin(struct emitter *json, char bracket);
void emit_end(struct emitter *json, char bracket);

/* A member's name; its value is the next call. */
void emit_name(struct emitter *json, const char *name);

void emit_null(struct emitter *json);
void emit_bool(struct emitter *json, int value);
void emit_count(struct emitter *json, uint64_t value);
void emit_real(struct emitter *json, float value);
void emit_text(struct emitter *json, const char *text);

/* A member: name and value. */
void emit_named_count(struct emitter *json, const char *name, uint64_t value);
void emit_named_text(struct emitter *json, const char *name, const char *text);

/* A JSON document of a file, with DEL and C1 escaped. */
void emit_document(struct emitter *json, const char *text);

/* Any bytes: valid UTF-8 as a string; returns 0, or 1 when they were written as base64. */
int emit_bytes(struct emitter *json, const void *bytes, size_t count);

/* Bytes as base64, always. */
void emit_base64(struct emitter *json, const void *bytes, size_t count);

/* Between two values of one list or two documents: a line break that keeps the comma right. */
void emit_line(struct emitter *json);

/* The shortest decimal that reads back as exactly this float; returns `out`. It always has a point
 * or an exponent. */
const char *emit_decimal(float value, char out[DECIMAL_BYTES]);

#endif
