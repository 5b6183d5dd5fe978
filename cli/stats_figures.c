/* The table of figures. */
#include "stats_figures.h"

#include <string.h>

const struct figure stats_figures[] = {
    {offsetof(edb_stats, file_bytes), "file_bytes", "embedcache_file_bytes", "file",
     "Size of the file, reserved space included.", FIGURE_LEVEL, 1},
    {offsetof(edb_stats, used_bytes), "used_bytes", "embedcache_used_bytes", "used",
     "Bytes up to the end of the last commit.", FIGURE_GROWING, 1},
    {offsetof(edb_stats, synced_bytes), "synced_bytes", "embedcache_synced_bytes", "synced",
     "Bytes that are known to survive power loss.", FIGURE_LEVEL, 1},
    {offsetof(edb_stats, section_bytes), "section_bytes", "embedcache_section_bytes",
     "index sections", "Bytes of live index sections.", FIGURE_LEVEL, 1},
    {offsetof(edb_stats, sections), "sections", "embedcache_sections", "number of sections",
     "Live index sections.", FIGURE_LEVEL, 0},
    {offsetof(edb_stats, sequence), "sequence", "embedcache_frames_total", "frames since creation",
     "Frames written since creation: one or more a commit.", FIGURE_COUNTER, 0},
    {offsetof(edb_stats, rows), "rows", "embedcache_rows_total", "rows given",
     "Row numbers given, one a put.", FIGURE_COUNTER, 0},
    {offsetof(edb_stats, live), "live", "embedcache_live_rows", "rows alive",
     "Rows that are neither deleted nor overwritten.", FIGURE_LEVEL, 0},
    {offsetof(edb_stats, tail_rows), "tail_rows", "embedcache_tail_rows", "rows not indexed yet",
     "Rows that stand in memory, not yet in an index section.", FIGURE_LEVEL, 0},
    {offsetof(edb_stats, mapped_bytes), "mapped_bytes", "embedcache_mapped_bytes", "address space",
     "Address space reserved for the mapping.", FIGURE_LEVEL, 1},
    {0, NULL, NULL, NULL, NULL, FIGURE_LEVEL, 0},
};

uint64_t stats_figure(const edb_stats *stats, const struct figure *figure)
{
    uint64_t value;
    memcpy(&value, (const char *)stats + figure->offset, sizeof value);
    return value;
}

const char *stats_figure_text(const edb_stats *stats, const struct figure *figure,
                              char out[STYLE_COUNT_BYTES])
{
    uint64_t value = stats_figure(stats, figure);
    return figure->is_bytes ? style_bytes(value, out) : style_count(value, out);
}
