/* An embedding server in use: batches are cut into requests, several of them on their way at once,
 * tried again where that may help, halved where the server does not take them. */
#ifndef EMBEDCACHE_CLI_PROVIDER_SEND_H
#define EMBEDCACHE_CLI_PROVIDER_SEND_H

#include "embedder.h"

struct provider;

/* As the functions of embedder.h. */
int provider_open(struct provider **provider_out, const struct embedder_choice *choice);
int provider_has_room(const struct provider *provider);
int provider_give(struct provider *provider, struct text_batch *batch);
struct text_batch *provider_take(struct provider *provider, int waits);
int provider_code(const struct provider *provider);
int provider_is_stopped(const struct provider *provider);
struct embedder_counts provider_count(const struct provider *provider);
void provider_close(struct provider *provider);

#endif
