/* Writing floats fast: exporting vectors as JSON spends its time here. */
#ifndef EMBEDCACHE_CLI_DECIMAL_WRITE_H
#define EMBEDCACHE_CLI_DECIMAL_WRITE_H

enum { DECIMAL_ROOM = 24 };

/* The shortest decimal that reads back as exactly this float, without an exponent. Returns 0 where
 * this fast way does not do: for numbers that are better written with an exponent, and where it is
 * not sure which decimal is nearest. */
int decimal_write(float value, char out[DECIMAL_ROOM]);

#endif
