/* Contact areas of balls: of two atoms' faces in the Voronoi diagram of balls, what a solvent probe touches (K. Olechnovič
   & Č. Venclovas, J. Comput. Chem. 35 (2014) 672; Proteins 85 (2017) 1131), with the numbers that Voronota gives.

   For each pair the face is found as it is (face.c): its vertices, and the balls that bound it. Then Voronota's outline of
   the contact is drawn (contour.c): a circle of points on the bisector, cut by one neighbour after the other. Voronota
   finds the same vertices, but those of all faces of all balls, which takes nearly all of its time. */

#include "contour.h"
#include "face.h"

#define PROBE 1.4 /* Å; these three are Voronota's defaults */
#define STEP 0.2
#define PROJECTIONS 5

/* Å from a surface; points beyond are errors of rounding, where one ball lies nearly inside another. */
#define FURTHEST (1.5 * PROBE)

/* Å; Voronota compares lengths with that tolerance. */
#define EPSILON 1e-10

/* Balls at the corners of a box around the others, so that each face ends somewhere. */
#define N_CORNERS 8

typedef struct {
    double gap;
    ptrdiff_t ball;
} Neighbour;

typedef struct {
    Ball *ball; /* those of the call, then the corners */
    ptrdiff_t n, n_given;
    double *xyz; /* the centres of all */
    Cells cells;
    View view;
    ptrdiff_t viewer; /* the ball whose view it is, -1 before the first */
    Face face;
    Outline outline;
    Neighbour *neighbour;
} Work;

static void free_work(Work *work)
{
    free(work->ball);
    free(work->xyz);
    free_cells(&work->cells);
    free(work->view.of);
    free(work->face.cuts);
    free(work->face.vertices);
    free(work->face.candidates);
    free(work->face.edges);
    free(work->face.arcs);
    free(work->neighbour);
    free_outline(&work->outline);
}

/* Adds the corners; returns the largest radius. */
static double add_corners(Work *work)
{
    const double limit = 1e300;
    Point low = {limit, limit, limit}, high = {-limit, -limit, -limit};
    double radius = 0;
    for (ptrdiff_t i = 0; i < work->n_given; i++) {
        Point p = work->ball[i].centre;
        low = (Point){fmin(low.x, p.x), fmin(low.y, p.y), fmin(low.z, p.z)};
        high = (Point){fmax(high.x, p.x), fmax(high.y, p.y), fmax(high.z, p.z)};
        radius = fmax(radius, work->ball[i].radius);
    }
    for (int corner = 0; corner < N_CORNERS; corner++) {
        double out = 2 * PROBE + 2 * radius + 1 + (corner == 0 || corner == N_CORNERS - 1);
        Point p = {corner & 4 ? high.x + out : low.x - out, corner & 2 ? high.y + out : low.y - out,
                   corner & 1 ? high.z + out : low.z - out};
        work->ball[work->n++] = (Ball){p, radius};
    }
    return radius;
}

static Status set_up(Work *work, const double *xyz, const double *radii, ptrdiff_t n)
{
    work->viewer = -1;
    work->n = work->n_given = n;
    work->ball = make_room(n + N_CORNERS, sizeof *work->ball);
    work->neighbour = make_room(n + N_CORNERS, sizeof *work->neighbour);
    work->xyz = make_room(3 * (n + N_CORNERS), sizeof *work->xyz);
    if (!work->ball || !work->neighbour || !work->xyz)
        return NO_MEMORY;
    for (ptrdiff_t i = 0; i < n; i++)
        work->ball[i] = (Ball){{xyz[3 * i], xyz[3 * i + 1], xyz[3 * i + 2]}, radii[i]};
    double largest = add_corners(work);
    for (ptrdiff_t i = 0; i < work->n; i++) {
        work->xyz[3 * i] = work->ball[i].centre.x;
        work->xyz[3 * i + 1] = work->ball[i].centre.y;
        work->xyz[3 * i + 2] = work->ball[i].centre.z;
    }
    return make_cells(&work->cells, work->xyz, work->n, 2 * largest + 2 * PROBE);
}

static int by_gap(const void *one, const void *other)
{
    const Neighbour *p = one, *q = other;
    if (p->gap != q->gap)
        return p->gap < q->gap ? -1 : 1;
    return (p->ball > q->ball) - (p->ball < q->ball);
}

/* Lists the balls that bound the face, in the order in which Voronota cuts with them; how many. */
static ptrdiff_t list_neighbours(Work *work)
{
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 1; i < work->face.n_cuts; i++) {
        const Cut *cut = &work->face.cuts[i];
        if (cut->n_vertices) {
            const Seen *seen = &work->view.of[cut->seen];
            work->neighbour[n++] = (Neighbour){seen->gap, seen->ball};
        }
    }
    qsort(work->neighbour, (size_t)n, sizeof *work->neighbour, by_gap);
    return n;
}

/* The ball around the vertices, widened by a step. Out of one that reaches to infinity nothing is dropped. */
static void bound_contact(Contact *contact, const Face *face)
{
    Point sum = {0, 0, 0};
    for (ptrdiff_t i = 0; i < face->n_vertices; i++)
        sum = plus(sum, centre_of(&face->vertices[i], contact->a));
    contact->around = times(sum, 1 / (double)face->n_vertices);
    contact->within = 0;
    for (ptrdiff_t i = 0; i < face->n_vertices; i++)
        contact->within = fmax(contact->within, distance(contact->around, centre_of(&face->vertices[i], contact->a)));
    contact->within += STEP;
    if (!isfinite(contact->within) || !isfinite(dot(contact->around, contact->around))) {
        contact->around = contact->a->centre;
        contact->within = HUGE_VAL;
    }
}

/* Whether a probe touches every vertex, and the face so ends within its reach. */
static bool is_within_probe(const Face *face)
{
    for (ptrdiff_t i = 0; i < face->n_vertices; i++)
        if (!(face->vertices[i].r < PROBE))
            return false;
    return face->n_vertices > 1;
}

/* The circle in which the balls of a and b meet, widened by the probe. */
static Status begin_with_probe(Outline *outline, const Contact *contact)
{
    double a = contact->a->radius + PROBE, b = contact->b->radius + PROBE;
    Point to = minus(contact->b->centre, contact->a->centre);
    double apart = length(to), cosine = (a * a + apart * apart - b * b) / (2 * a * apart);
    Point centre = plus(contact->a->centre, times(unit(to), a * cosine));
    return begin_with_circle(outline, contact, centre, a * sqrt(1 - cosine * cosine), true);
}

/* Draws the outline of a contact whose face has been found, and measures it. */
static Status measure(Work *work, const Ball *a, const Ball *b, double *area, Checkpoint *checkpoint)
{
    ptrdiff_t n = list_neighbours(work);
    if (!n)
        return DONE; /* a face without a vertex is none for Voronota */
    Contact contact = {a, b, (int32_t)(a - work->ball), bisector_of(a, b), STEP, PROJECTIONS, {0, 0, 0}, 0};
    bound_contact(&contact, &work->face);
    Outline *outline = &work->outline;
    Status status = is_within_probe(&work->face)
                        ? begin_with_circle(outline, &contact, contact.around, contact.within, false)
                        : begin_with_probe(outline, &contact);
    for (ptrdiff_t i = 0; i < n && status == DONE; i++) {
        ptrdiff_t c = work->neighbour[i].ball, n_points = 0;
        status = cut_outline(outline, &contact, &work->ball[c], (int32_t)c);
        for (ptrdiff_t j = 0; j < outline->now.n; j++)
            n_points += outline->now.line[j].n;
        if (status == DONE && is_interrupted(checkpoint, 20 * n_points))
            status = INTERRUPTED;
    }
    if (status == DONE) {
        draw_in(outline, &contact, FURTHEST);
        *area = area_inside(outline, &contact);
    }
    return status;
}

/* The contact of two balls, the one with the lower index first: Voronota's numbers depend on the order. */
static Status contact_area(Work *work, ptrdiff_t a, ptrdiff_t b, double *area, Checkpoint *checkpoint)
{
    *area = 0;
    if (work->viewer != a) {
        work->viewer = a;
        Status status = look_from(&work->view, work->ball, &work->cells, a, PROBE, checkpoint);
        if (status != DONE)
            return status;
    }
    const View *view = &work->view;
    ptrdiff_t b_seen = 0;
    while (b_seen < view->n_near && view->of[b_seen].ball != b)
        b_seen++;
    if (view->is_hidden || b_seen == view->n_near)
        return DONE;
    const Seen *seen = &view->of[b_seen];
    if (!(seen->h > 0) || !(seen->gap + EPSILON < 2 * PROBE))
        return DONE;
    Status status = find_face(&work->face, &work->view, b_seen, work->ball, work->n, a, PROBE, checkpoint);
    return status == DONE ? measure(work, &work->ball[a], &work->ball[b], area, checkpoint) : status;
}

Status contact_areas(const double *xyz, const double *radii, ptrdiff_t n, const int64_t *pairs, ptrdiff_t n_pairs,
                     double *area, Checkpoint *checkpoint)
{
    Work work = {0};
    Status status = set_up(&work, xyz, radii, n);
    for (ptrdiff_t i = 0; i < n_pairs && status == DONE; i++) {
        int64_t one = pairs[2 * i], other = pairs[2 * i + 1];
        status = contact_area(&work, one < other ? one : other, one < other ? other : one, &area[i], checkpoint);
    }
    free_work(&work);
    return status;
}
