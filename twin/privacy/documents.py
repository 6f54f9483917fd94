"""The words for documents that have numbers, in the languages of Europe, in Russian and in Chinese.

Knows nothing of the numbers.
"""

from __future__ import annotations

import re

DOCUMENT = re.compile(
    r"""(?x)
    (?<![a-z0-9])(?:
      # English
        pass?ports? | ssn | s\.s\.n\.? | ss\s?(?=\#) | itin | social(?:\ssecurity)? | soc\ssec | nino | nhs | tfn | utr
      | ni(?:no)?(?=\s(?:number|num|no|is|:)|:|\s[a-z]{2}\s?[0-9]) | national\s(?:insurance|id) | medicare | aadhaa?r
      | (?:driver'?s?|drivers'|driving)\s(?:licen[cs]e|permit) | licen[cs]e(?=\s(?:number|num|no|\#)) | my\slicen[cs]e
      | dl(?=[\s:\#]) | (?:tax|taxpayer)\s?(?:id|number|no|file\snumber|identification\snumber) | tin(?=\s[0-9#:]|:)
      | (?:state|government|gov|national|photo)\s?id | id(?:entity)?\s?card | my\sid | id(?=\s(?:number|no|num))
      | visa(?=\s(?:number|no)) | green\scard | alien | a-number | uscis | resident\spermit | residence\spermit
      | sin(?=\s[0-9]{3}[ \-][0-9]{3}|\s(?:number|no)) | pan(?=\s(?:card|number|no)) | pps(?:n)?
      # German, Dutch, Scandinavian
      | reisepass(?:nummer)? | personalausweis(?:nummer)? | ausweis(?:nummer|nr)? | führerschein(?:nummer)? | svnr
      | sv-?nummer | sv-?nr | steuer-?\s?(?:id|nummer|nr|identifikationsnummer|identnr) | idnr | ahv
      | sozialversicherungsnummer | rentenversicherungsnummer | krankenversichertennummer | paspoort | bsn
      | burgerservicenummer | rijksregisternummer | personnummer | personnr | cpr(?:-?(?:nummer|nr))?
      | hetu | henkilötunnus | fødselsnummer
      # French, Spanish, Italian, Portuguese
      | passeport | n[°o]\s?s[eé]cu(?:rité\ssociale)? | numéro\sde\ss[eé]cu(?:rité\ssociale)?(?:\ssociale)?
      | s[eé]cu(?:rité\ssociale)? | nir | carte\s(?:d'identité|vitale) | permis(?:\sde\sconduire)? | numéro\sfiscal
      | pasaporte | dni | nie | nif | nuss | cif | carnet(?:\sde\s(?:identidad|conducir))? | passaporto
      | codice\sfiscale
      | c\.?f\.? | carta\sd'identità | patente | tessera\ssanitaria | cartão\sde\scidadão | contribuinte | cpf | rg
      | curp | rfc | rut
      # middle and eastern Europe
      | paszport\w* | dow[oó]d\w*(?:\sosobist\w+)? | pesel | nip | rodné\sčíslo | rč | cnp | egn | oib | amka
      | taj(?:-?szám)?
      | adószám | isikukood | asmens\skodas
    )(?![a-z0-9])
    # Russian and Ukrainian
    | (?<![а-яіїєґ])(?: загран\w*(?:\sпаспорт\w*)? | паспорт\w* | пасп\.? | сери[яию](?:\s(?:и\s)?номер)?(?:\sпаспорта)?
      | снилс\w* | инн | иин | ипн | іпн | рнокпп | єдрпоу | (?:вод(?:ительск\w+)?\.?\s)?(?:удостоверени\w+|права)
      | водительск\w+ | в/у | ву | стс | птс | полис\w*(?:\sомс)? | омс | енп | свидетельств\w+(?:\sо\s[а-я]+)?
      | военн?ик\w? | военн\w+\sбилет\w* | внж | рвп | айди\sкарт\w+ | id-?карт\w+ | карт\w+\sгражданина
      | ідентифікаційн\w+ | ние | егн )(?![а-яіїєґ])
    | αμκα | αφμ | 주민(?:등록)?번호 | マイナンバー
    # Chinese
    | 身份证 | 身份證 | 身分證 | 身分证 | 证件 | 證件 | 护照 | 護照 | 通行证 | 通行證 | 台胞证 | 回乡证 | 军官证
    | 驾照 | 驾驶证 | 行驶证 | 社保 | 医保 | 居住证 | 学生证号 | 社会保障 | 户口本号?
    """
)
