/** The errors that the client throws. */

/** The API refused a request, or could not be reached (status 0). `code` never changes; `fields` says what is wrong with each field. */
export class PlauditError extends Error {
  /** When a refused command can succeed. */
  readonly nextAvailableAt: Date | null;
  /** What the first of several identical requests created. */
  readonly id: string | null;

  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly fields: Record<string, string> = {},
    more: { nextAvailableAt?: string; id?: string } = {},
  ) {
    super(message);
    this.name = "PlauditError";
    this.nextAvailableAt = more.nextAvailableAt ? new Date(more.nextAvailableAt) : null;
    this.id = more.id ?? null;
  }
}

/** A webhook received a message that did not come from the server, was changed on the way, or is too old. */
export class InvalidSignature extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InvalidSignature";
  }
}

interface ErrorBody {
  code?: string;
  message?: string;
  details?: { field: string; message: string }[];
  next_available_at?: string;
  id?: string;
}

/** Return the error in a response, in any of the API's envelopes. */
export async function readError(response: Response): Promise<PlauditError> {
  const body = (await response.json().catch(() => null)) as { message?: string; error?: ErrorBody | string; error_description?: string } | null;
  const error: ErrorBody = typeof body?.error === "object" ? body.error : { code: body?.error };
  return new PlauditError(
    error.message ?? body?.message ?? body?.error_description ?? `HTTP ${response.status}`,
    response.status,
    error.code ?? "",
    Object.fromEntries((error.details ?? []).map((detail) => [detail.field, detail.message])),
    { nextAvailableAt: error.next_available_at, id: error.id },
  );
}
