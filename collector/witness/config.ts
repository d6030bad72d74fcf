/** `witness.yaml`: every key, once. */
import { isKeyName } from '#protocol/note.ts';
import { address, isVerifierKey, listOf, textLike } from '../../config/kinds.ts';
import { key, required } from '../../config/schema.ts';

export const KEYS = {
  name: required(
    'Name of this witness; its key and its cosignatures carry it.',
    textLike('a name without spaces and plus, like witness.example.org/w1', isKeyName),
  ),
  listen: key('Where logs ask: HTTP, `POST /add-checkpoint`.', address, { host: '127.0.0.1', port: 8442 }),
  logs: required(
    'Keys of the logs that are watched, each as in `log.pub`.',
    listOf(textLike('NAME+ID+BASE64, as in log.pub', isVerifierKey)),
  ),
};
