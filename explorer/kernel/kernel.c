/* What costs most in measuring a case: one pass over each mask, and work on its runs after that.
 *
 * A run is a stretch of voxels inside a mask along i, the fastest axis. Everything here is bounded by
 * sizes that the caller gives together with the arrays; nothing is allocated, and nothing is kept.
 * explorer/kernel/__init__.py calls these functions and says what each returns.
 */
#include <stdint.h>
#include <string.h>

#if !defined(__GNUC__) || !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "needs GCC or Clang and a little-endian machine"
#endif
#ifndef KERNEL_SOURCE
#define KERNEL_SOURCE 0
#endif

typedef struct {
    int32_t row; /* j + nj * k */
    int32_t start, stop; /* along i, half open */
} run;

enum { ODD_VALUES = -1, TOO_MANY_RUNS = -2, TOO_LONG = -3, TOO_SHORT = -4 };

/* CRC-32 of the source that this was compiled from. */
uint32_t kernel_source(void) { return KERNEL_SOURCE; }

/* At any address; a copy of such would be stored before it is used. */
typedef uint64_t lanes __attribute__((vector_size(16), aligned(1), may_alias));

static uint64_t load(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, 8);
    return word;
}

/* ---- CRC-32 of bytes that are 0 or 1 -------------------------------------------------------------
 *
 * A CRC register is a polynomial over GF(2), here reflected: bit 31 is x^0. A zero byte multiplies
 * it by x^8, and bytes that differ from zero are added by exclusive or. So zeros of any length cost a
 * multiplication, and ones from voxel s to e of a row are (ones from s on) + (ones from e on).
 */
static const uint32_t POLYNOMIAL = 0xedb88320u, ONE = 0x80000000u;

static uint32_t times(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (; a; a <<= 1) {
        product ^= b & (0u - (a >> 31));
        b = (b >> 1) ^ (POLYNOMIAL & (0u - (b & 1)));
    }
    return product;
}

/* The factor of so many zero bytes: x^(8 n). */
static uint32_t zeros(int64_t n)
{
    uint32_t factor = ONE, power = ONE >> 8;
    for (; n; n >>= 1, power = times(power, power))
        if (n & 1)
            factor = times(factor, power);
    return factor;
}

/* Products of a register's four bytes with one factor. */
typedef struct {
    uint32_t of[4][256];
} factor_table;

static void fill(factor_table *table, uint32_t factor)
{
    for (int byte = 0; byte < 4; byte++)
        for (uint32_t value = 0; value < 256; value++) {
            uint32_t low = value & (value - 1); /* without its lowest bit */
            table->of[byte][value] = !value ? 0
                : low ? table->of[byte][low] ^ table->of[byte][value ^ low]
                      : times(value << (8 * byte), factor);
        }
}

static uint32_t apply(const factor_table *table, uint32_t a)
{
    return table->of[0][a & 255] ^ table->of[1][a >> 8 & 255] ^ table->of[2][a >> 16 & 255] ^ table->of[3][a >> 24];
}

/* ---- one pass over a mask ------------------------------------------------------------------------ */

/* Where the first byte that is not 0 lies in [at, end), or end. */
static int64_t next_inside(const uint8_t *voxels, int64_t at, int64_t end)
{
    for (; end - at >= 128; at += 128) {
        const lanes *part = (const lanes *)(voxels + at);
        /* without a chain from one to the next */
        const lanes any = ((part[0] | part[1]) | (part[2] | part[3])) | ((part[4] | part[5]) | (part[6] | part[7]));
        if (any[0] | any[1])
            break;
    }
    for (; end - at >= 8 && !load(voxels + at); at += 8)
        ;
    while (at < end && !voxels[at])
        at++;
    return at;
}

/* Up to 64 voxels as bits, the first one lowest; `odd` collects all bits that 0 and 1 do not have. */
static uint64_t pack(const uint8_t *voxels, int64_t count, uint64_t *odd)
{
    uint64_t bits = 0;
    int64_t n = 0;
    for (; n + 8 <= count; n += 8) {
        uint64_t word = load(voxels + n);
        *odd |= word;
        bits |= (word * 0x0102040810204080u >> 56) << n;
    }
    for (; n < count; n++) {
        *odd |= voxels[n];
        bits |= (uint64_t)(voxels[n] & 1) << n;
    }
    return bits;
}

/* A mask that comes in pieces, row by row of ni voxels. */
typedef struct {
    int64_t ni, nj, rows; /* rows: nj * nk */
    int64_t done; /* rows that were looked at */
    int64_t held; /* bytes of the row that a piece ended in */
    int64_t summed; /* rows that are in the sum */
    uint32_t sum; /* CRC register */
    int64_t count, room; /* of runs */
    run *runs;
    uint32_t *ones; /* by n: the register after n bytes of 1, which was 0 before */
    uint32_t skips[31]; /* by n: the factor of 2^n rows of zeros */
    int64_t *areas_i, *areas_j, *areas_k; /* areas_i: differences, until the end */
    uint8_t *row; /* the held bytes */
    factor_table row_of_zeros;
} scan;

int64_t kernel_scan_bytes(void) { return sizeof(scan); }

/* Begin a mask of ni * nj * nk voxels.
 *
 * runs      room for `room` of them
 * ones      room for ni + 1 numbers; row: for ni
 * areas_i   ni + 1 numbers, areas_j: nj, areas_k: nk; all 0
 * crc       of the bytes before the voxels
 */
void kernel_scan_begin(scan *s, int64_t ni, int64_t nj, int64_t nk, run *runs, int64_t room, uint32_t *ones,
                       uint8_t *row, int64_t *areas_i, int64_t *areas_j, int64_t *areas_k, uint32_t crc)
{
    memset(s, 0, sizeof *s);
    s->ni = ni, s->nj = nj, s->rows = nj * nk;
    s->runs = runs, s->room = room, s->ones = ones, s->row = row;
    s->areas_i = areas_i, s->areas_j = areas_j, s->areas_k = areas_k;
    s->sum = ~crc;
    s->skips[0] = zeros(ni);
    for (int n = 1; n < 31; n++)
        s->skips[n] = times(s->skips[n - 1], s->skips[n - 1]);
    factor_table byte_of_zeros;
    fill(&byte_of_zeros, ONE >> 8);
    ones[0] = 0;
    for (int64_t n = 0; n < ni; n++)
        ones[n + 1] = apply(&byte_of_zeros, ones[n] ^ 1);
    fill(&s->row_of_zeros, s->skips[0]);
}

/* Let the sum see zeros up to a row. */
static void pass_zeros(scan *s, int64_t row)
{
    uint32_t passed = (uint32_t)(row - s->summed);
    s->summed = row;
    if (passed < 32) {
        for (; passed; passed--)
            s->sum = apply(&s->row_of_zeros, s->sum);
        return;
    }
    for (; passed; passed &= passed - 1)
        s->sum = times(s->sum, s->skips[__builtin_ctz(passed)]);
}

/* Take in a row whose first voxel inside is `from` or a later one. */
static int64_t take_row(scan *s, const uint8_t *voxels, int64_t row, int64_t from)
{
    const int64_t first = s->count;
    uint64_t before = 0, odd = 0; /* before: whether the last voxel was inside */
    uint32_t of_ones = 0;
    int64_t inside = 0;
    run *runs = s->runs;
    for (int64_t i = from; i < s->ni; i += 64) {
        const int64_t width = s->ni - i < 64 ? s->ni - i : 64;
        const uint64_t bits = pack(voxels + i, width, &odd);
        uint64_t edges = bits ^ (bits << 1 | before);
        before = bits >> (width - 1) & 1;
        if (width < 64)
            edges &= ((uint64_t)1 << width) - 1;
        if (edges && s->count + 32 > s->room)
            return TOO_MANY_RUNS;
        for (; edges; edges &= edges - 1) {
            const int64_t edge = i + __builtin_ctzll(edges);
            of_ones ^= s->ones[s->ni - edge];
            if (s->count > first && runs[s->count - 1].stop < 0)
                runs[s->count - 1].stop = (int32_t)edge;
            else
                runs[s->count++] = (run){(int32_t)row, (int32_t)edge, -1};
        }
    }
    if (odd & ~0x0101010101010101u)
        return ODD_VALUES;
    if (before)
        runs[s->count - 1].stop = (int32_t)s->ni;
    for (int64_t n = first; n < s->count; n++) {
        inside += runs[n].stop - runs[n].start;
        s->areas_i[runs[n].start]++;
        s->areas_i[runs[n].stop]--;
    }
    const uint32_t k = (uint32_t)row / (uint32_t)s->nj; /* of 32 bits, which divides faster */
    s->areas_j[row - k * s->nj] += inside;
    s->areas_k[k] += inside;
    pass_zeros(s, row);
    s->sum = apply(&s->row_of_zeros, s->sum) ^ of_ones;
    s->summed = row + 1;
    return 0;
}

/* Look at the next bytes of a mask, but for the first ones that are skipped; returns 0 or one of the negative numbers above. */
int64_t kernel_scan(scan *s, const uint8_t *piece, int64_t skipped, int64_t size)
{
    int64_t failed = 0;
    piece += skipped, size -= skipped;
    if (size < 0 || size > (s->rows - s->done) * s->ni - s->held)
        return TOO_LONG;
    if (s->held) {
        const int64_t lacking = s->ni - s->held, now = size < lacking ? size : lacking;
        memcpy(s->row + s->held, piece, now);
        s->held += now, piece += now, size -= now;
        if (s->held < s->ni)
            return 0;
        if (next_inside(s->row, 0, s->ni) < s->ni)
            failed = take_row(s, s->row, s->done, 0);
        s->done++, s->held = 0;
    }
    const int64_t whole = size / s->ni, end = whole * s->ni;
    for (int64_t row = 0, at = next_inside(piece, 0, end); at < end && !failed; row++) {
        if (at >= (row + 1) * s->ni)
            row = at / s->ni;
        failed = take_row(s, piece + row * s->ni, s->done + row, at - row * s->ni);
        at = next_inside(piece, (row + 1) * s->ni, end);
    }
    s->done += whole;
    s->held = size - end;
    memcpy(s->row, piece + end, s->held);
    return failed;
}

/* End: returns the number of runs, or that the mask is too short; `crc` is that of all bytes. */
int64_t kernel_scan_end(scan *s, uint32_t *crc)
{
    if (s->done < s->rows)
        return TOO_SHORT;
    pass_zeros(s, s->rows);
    for (int64_t i = 0; i < s->ni; i++)
        s->areas_i[i + 1] += s->areas_i[i];
    *crc = ~s->sum;
    return s->count;
}

/* ---- connected components ------------------------------------------------------------------------ */

static int32_t root(int32_t *parents, int32_t n)
{
    while (parents[n] != n)
        n = parents[n] = parents[parents[n]];
    return n;
}

/* Count the 26-connected components of a mask from its runs; the voxels of the largest one go to `largest`.
 *
 * parents, sizes   room for `count` numbers each
 */
int64_t kernel_components(const run *runs, int64_t count, int64_t nj, int32_t *parents, int64_t *sizes, int64_t *largest)
{
    /* The rows before a row that touch it: how far back, and on which side along j. */
    const int64_t back[4] = {1, nj + 1, nj, nj - 1};
    const int side[4] = {-1, -1, 0, 1};
    int64_t near[4] = {0, 0, 0, 0}, components = 0;

    for (int64_t n = 0; n < count; n++) {
        const int64_t j = runs[n].row % nj;
        parents[n] = (int32_t)n;
        sizes[n] = 0;
        for (int way = 0; way < 4; way++) {
            const int64_t row = runs[n].row - back[way];
            if (row < 0 || j + side[way] < 0 || j + side[way] >= nj)
                continue;
            int64_t other = near[way];
            while (runs[other].row < row || (runs[other].row == row && runs[other].stop < runs[n].start))
                other++; /* ends at n at the latest, whose row is larger */
            near[way] = other;
            for (; runs[other].row == row && runs[other].start <= runs[n].stop; other++) {
                const int32_t a = root(parents, (int32_t)n), b = root(parents, (int32_t)other);
                parents[a > b ? a : b] = a > b ? b : a;
            }
        }
    }
    *largest = 0;
    for (int64_t n = 0; n < count; n++) {
        int64_t *size = &sizes[root(parents, (int32_t)n)];
        components += *size == 0;
        *size += runs[n].stop - runs[n].start;
        if (*size > *largest)
            *largest = *size;
    }
    return components;
}

/* ---- values of another volume of the same shape inside the runs ---------------------------------- */

/* Turn 4 tables of 65,536 counts into the numbers that occur, ascending, and how often; clears them. */
static int64_t collect(uint32_t *counts, uint64_t seen, int64_t *levels, int64_t *found)
{
    int64_t n = 0;
    for (int64_t level = 0; level <= (int64_t)seen; level++) {
        uint32_t *of = counts + 4 * level;
        const int64_t sum = (int64_t)of[0] + of[1] + of[2] + of[3];
        if (sum) {
            levels[n] = level;
            found[n++] = sum;
            memset(of, 0, 4 * sizeof *of);
        }
    }
    return n;
}

/* Count eight bytes of values. Neighbours go to different tables, so that equal ones need not wait for each
 * other; `seen` ends as a number whose bits include those of all values, hence no less than any. */
static void count_pairs(uint64_t four, uint32_t *counts)
{
    counts[4 * (four & 0xffff)]++;
    counts[4 * (four >> 16 & 0xffff) + 1]++;
    counts[4 * (four >> 32 & 0xffff) + 2]++;
    counts[4 * (four >> 48) + 3]++;
}

static void count_bytes(uint64_t eight, uint32_t *counts)
{
    for (int n = 0; n < 8; n++)
        counts[4 * (eight >> (8 * n) & 0xff) + (n & 3)]++;
}

/* Count the values, of 1 or 2 bytes, inside the runs of a volume whose rows have ni voxels.
 *
 * counts          4 * 65,536 zeros, which they are again afterwards; none may get as far as 2^32
 * levels, found   room for 65,536 numbers each: the distinct values, and how often each occurs
 */
int64_t kernel_count(const uint8_t *values, int64_t bytes, int64_t ni, const run *runs, int64_t count,
                     uint32_t *counts, int64_t *levels, int64_t *found)
{
    uint64_t seen = 0;
    for (int64_t n = 0; n < count; n++) {
        const uint8_t *of = values + bytes * (runs[n].row * ni + runs[n].start);
        int64_t left = bytes * (runs[n].stop - runs[n].start);
        if (bytes == 1) { /* which ids mostly are */
            const int64_t blank = next_inside(of, 0, left);
            counts[0] += (uint32_t)blank;
            of += blank, left -= blank;
        }
        for (; left >= 16 && bytes == 2; left -= 16, of += 16) {
            const uint64_t one = load(of), other = load(of + 8);
            seen |= one | other;
            count_pairs(one, counts);
            count_pairs(other, counts);
        }
        for (; left >= 8 && bytes == 1; left -= 8, of += 8) {
            seen |= load(of);
            count_bytes(load(of), counts);
        }
        for (; left > 0; left -= bytes, of += bytes) {
            const uint32_t value = bytes == 2 ? (uint32_t)of[0] | (uint32_t)of[1] << 8 : of[0];
            seen |= value;
            counts[4 * value]++;
        }
    }
    seen |= seen >> 32;
    seen |= bytes == 2 ? seen >> 16 : seen >> 16 | seen >> 8 | seen >> 24;
    seen &= bytes == 2 ? 0xffff : 0xff;
    return collect(counts, seen, levels, found);
}

#define RENUMBER_ROW(type, values, size)                                                                         \
    {                                                                                                            \
        type *of = (type *)(values);                                                                             \
        for (int64_t at = 0; at < (size); at++)                                                                  \
            of[at] = (type)table[of[at]];                                                                        \
    }

/* Replace the numbers, of 1 or 2 bytes, inside the runs by those that a table of all of them has. */
void kernel_renumber(uint8_t *values, int64_t bytes, int64_t ni, const run *runs, int64_t count, const uint16_t *table)
{
    for (int64_t n = 0; n < count; n++) {
        const int64_t from = runs[n].row * ni + runs[n].start, size = runs[n].stop - runs[n].start;
        if (bytes == 2)
            RENUMBER_ROW(uint16_t, values + 2 * from, size)
        else {
            const int64_t blank = next_inside(values + from, 0, size);
            memset(values + from, table[0], blank);
            RENUMBER_ROW(uint8_t, values + from + blank, size - blank)
        }
    }
}

/* Set the voxels of runs in a box, which starts at voxel (i, j, k) and has this size; they lie in it. */
void kernel_paint(uint8_t *box, int64_t i, int64_t j, int64_t k, int64_t size_i, int64_t size_j, int64_t nj,
                  const run *runs, int64_t count)
{
    for (int64_t n = 0; n < count; n++) {
        const int64_t row = runs[n].row % nj - j + size_j * (runs[n].row / nj - k);
        memset(box + row * size_i + runs[n].start - i, 1, runs[n].stop - runs[n].start);
    }
}

/* Whether what may be the head of a gzip member (RFC 1952) occurs in data after their first byte: magic bytes,
 * method, no flag that there is not, and what is known of the level of compression. */
int64_t kernel_begins_anew(const uint8_t *data, int64_t size)
{
    for (const uint8_t *at = data + 1; data + size - at >= 9; at++) {
        at = memchr(at, 0x1f, data + size - at - 8);
        if (!at)
            return 0;
        if (at[1] == 0x8b && at[2] == 8 && at[3] < 32 && (at[8] == 0 || at[8] == 2 || at[8] == 4))
            return 1;
    }
    return 0;
}
