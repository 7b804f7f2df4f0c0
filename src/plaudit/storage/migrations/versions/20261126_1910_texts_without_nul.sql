-- Profiles that earlier versions took with U+0000 in them: reading a field of one failed, and with it the search of its
-- organisation. Members' events of then are read without the character as well (`engine/arrival`), so that deciding the
-- log again gives the same.
UPDATE members SET attributes = regexp_replace(attributes::text, '(?<!\\)((?:\\\\)*)\\u0000', '\1', 'g')::json
WHERE strpos(attributes::text, '\u0000') > 0;
