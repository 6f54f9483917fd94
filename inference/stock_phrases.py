"""Stock phrases: what is said in place of a reply that was kept back twice, in the languages that placeholders speak.

Knows nothing of why it was kept back. They fit after anything, promise little, and say nothing about who is writing.
"""

from __future__ import annotations

_WORDS = {
    "en": "hm, let me get back to you on that | not sure what to say to that tbh | let's talk about that later",
    "ru": "хм, давай к этому попозже вернёмся | даже не знаю, что сказать | давай потом об этом",
    "uk": "хм, давай пізніше до цього повернемось | навіть не знаю, що сказати | давай потім про це",
    "zh": "嗯，这个晚点再说吧 | 一时不知道说什么 | 这个回头再聊",
    "de": "hm, lass uns da später nochmal drüber reden | weiß grad nicht, was ich dazu sagen soll | dazu später mehr",
    "es": "mmm, luego te digo algo | no sé qué decirte la verdad | lo hablamos luego",
    "fr": "hmm, on en reparle plus tard | je sais pas trop quoi dire là | je te redis ça",
    "it": "mh, ne riparliamo dopo | boh, non so che dire | poi ti dico",
    "pt": "hm, depois falamos disso | nem sei o que dizer | depois te digo",
    "pl": "hm, wrócimy do tego później | nie wiem co powiedzieć | pogadamy o tym potem",
    "tr": "hm, buna sonra dönelim | ne desem bilemedim | sonra konuşuruz bunu",
    "ar": "ممم خلينا نرجع لهالموضوع بعدين | ما أدري شو أقول والله | نحكي فيه بعدين",
    "fa": "هوم، بعداً درباره‌ش حرف بزنیم | نمی‌دونم چی بگم راستش | بعداً بهت می‌گم",
    "he": "אממ, נחזור לזה אחר כך | וואלה אין לי מושג מה להגיד | נדבר על זה אחר כך",
    "hi": "हम्म, इस पे बाद में बात करते हैं | समझ नहीं आ रहा क्या कहूँ | बाद में बताते हैं",
    "id": "hm, nanti kita bahas lagi ya | bingung mau bilang apa | nanti aja ya ngobrolin itu",
    "ja": "うーん、それはまたあとで | なんて言えばいいかわかんない | その話はまた今度",
    "ko": "음 그건 나중에 얘기하자 | 뭐라고 해야 할지 모르겠네 | 그건 나중에 다시 말해줄게",
}
PHRASES = {language: tuple(words.split(" | ")) for language, words in _WORDS.items()}
"""By language (ISO 639-1), at least two."""


def stock_phrase(language: str, chance: float, own: tuple[str, ...] = ()) -> str:
    """One of the owner's own phrases, or of those of a language; in English if it has none.

    Args:
        chance: in [0, 1); chooses one.
        own: instead of those here; empty ones are none.
    """
    phrases = tuple(phrase.strip() for phrase in own if phrase.strip()) or PHRASES.get(language) or PHRASES["en"]
    return phrases[min(int(chance * len(phrases)), len(phrases) - 1)]
