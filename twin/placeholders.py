"""Placeholders: what stands in a conversation for media, forwards and quotes, in the owner's language.

Knows nothing of messages. Its words end in training data and in prompts: adapters read them as they were when they
learned, so they are not to be changed lightly.
"""

from __future__ import annotations

import re

_SECONDS = re.compile(r"(\d+) s", re.ASCII)
# A line below has words for these kinds of media (named as ingest names them), then for these marks.
_MEDIA = (
    "photo",
    "video_file",
    "voice_message",
    "video_message",
    "animation",
    "sticker",
    "audio_file",
    "file",
    "contact",
    "location",
    "poll",
    "game",
    "invoice",
    "giveaway",
    "paid_media",
    "todo_list",
    "dice",
    "story",
)
_MARKS = ("seconds", "forwarded", "quoted")
_WORDS = {
    "en": "photo | video file | voice message | video message | animation | sticker | audio file | "
    "file | contact | location | poll | game | invoice | giveaway | paid media | todo list | dice | "
    "story | s | forwarded | in reply to",
    "ru": "фото | видео | голосовое | видеосообщение | гифка | стикер | аудио | файл | контакт | "
    "геопозиция | опрос | игра | счёт | розыгрыш | платное медиа | список дел | кубик | история | с | "
    "переслано | в ответ на",
    "uk": "фото | відео | голосове | відеоповідомлення | гіфка | стікер | аудіо | файл | контакт | "
    "геопозиція | опитування | гра | рахунок | розіграш | платне медіа | список справ | кубик | "
    "історія | с | переслано | у відповідь на",
    "zh": "照片 | 视频 | 语音 | 视频消息 | 动图 | 贴纸 | 音频 | 文件 | 联系人 | 位置 | 投票 | 游戏 | "
    "账单 | 抽奖 | 付费媒体 | 待办清单 | 骰子 | 动态 | 秒 | 转发 | 回复",
    "de": "Foto | Video | Sprachnachricht | Videonachricht | GIF | Sticker | Audio | Datei | Kontakt | "
    "Standort | Umfrage | Spiel | Rechnung | Verlosung | bezahlte Medien | To-do-Liste | Würfel | "
    "Story | s | weitergeleitet | Antwort auf",
    "es": "foto | vídeo | mensaje de voz | videomensaje | GIF | sticker | audio | archivo | contacto | "
    "ubicación | encuesta | juego | factura | sorteo | contenido de pago | lista de tareas | dado | "
    "historia | s | reenviado | en respuesta a",
    "fr": "photo | vidéo | message vocal | message vidéo | GIF | sticker | audio | fichier | contact | "
    "position | sondage | jeu | facture | concours | média payant | liste de tâches | dé | story | "
    "s | transféré | en réponse à",
    "it": "foto | video | messaggio vocale | videomessaggio | GIF | sticker | audio | file | contatto | "
    "posizione | sondaggio | gioco | fattura | concorso | contenuto a pagamento | "
    "lista di cose da fare | dado | storia | s | inoltrato | in risposta a",
    "pt": "foto | vídeo | mensagem de voz | mensagem de vídeo | GIF | figurinha | áudio | arquivo | "
    "contato | localização | enquete | jogo | fatura | sorteio | mídia paga | lista de tarefas | "
    "dado | story | s | encaminhado | em resposta a",
    "pl": "zdjęcie | wideo | wiadomość głosowa | wiadomość wideo | GIF | naklejka | plik audio | plik | "
    "kontakt | lokalizacja | ankieta | gra | faktura | losowanie | płatne media | lista zadań | "
    "kostka | relacja | s | przekazane | w odpowiedzi na",
    "tr": "fotoğraf | video | sesli mesaj | görüntülü mesaj | GIF | çıkartma | ses dosyası | dosya | "
    "kişi | konum | anket | oyun | fatura | çekiliş | ücretli medya | yapılacaklar listesi | zar | "
    "hikaye | sn | iletildi | yanıtlanan",
    "ar": "صورة | فيديو | رسالة صوتية | رسالة فيديو | صورة متحركة | ملصق | ملف صوتي | ملف | جهة اتصال | "
    "موقع | استطلاع | لعبة | فاتورة | سحب | وسائط مدفوعة | قائمة مهام | نرد | قصة | ث | معاد توجيهه | "
    "ردًا على",
    "fa": "عکس | ویدیو | پیام صوتی | پیام ویدیویی | گیف | استیکر | فایل صوتی | فایل | مخاطب | موقعیت | "
    "نظرسنجی | بازی | صورتحساب | قرعه کشی | رسانه پولی | فهرست کارها | تاس | استوری | ثانیه | "
    "بازارسال | در پاسخ به",
    "he": "תמונה | סרטון | הודעה קולית | הודעת וידאו | גיף | מדבקה | קובץ שמע | קובץ | איש קשר | "
    "מיקום | סקר | משחק | חשבונית | הגרלה | מדיה בתשלום | רשימת מטלות | קובייה | סטורי | שנ׳ | "
    "הועבר | בתגובה ל",
    "hi": "फ़ोटो | वीडियो | वॉइस मैसेज | वीडियो मैसेज | GIF | स्टिकर | ऑडियो | फ़ाइल | संपर्क | "
    "लोकेशन | पोल | गेम | इनवॉइस | गिवअवे | पेड मीडिया | कामों की सूची | पासा | स्टोरी | सेकंड | "
    "फ़ॉरवर्ड किया गया | इसके जवाब में",
    "id": "foto | video | pesan suara | pesan video | GIF | stiker | audio | berkas | kontak | lokasi | "
    "polling | permainan | tagihan | undian | media berbayar | daftar tugas | dadu | cerita | dtk | "
    "diteruskan | membalas",
    "ja": "写真 | 動画 | ボイスメッセージ | ビデオメッセージ | GIF | スタンプ | 音声ファイル | "
    "ファイル | 連絡先 | 位置情報 | アンケート | ゲーム | 請求書 | プレゼント企画 | 有料メディア | "
    "ToDoリスト | サイコロ | ストーリー | 秒 | 転送 | 返信先",
    "ko": "사진 | 동영상 | 음성 메시지 | 영상 메시지 | GIF | 스티커 | 오디오 파일 | 파일 | 연락처 | "
    "위치 | 투표 | 게임 | 청구서 | 경품 추첨 | 유료 미디어 | 할 일 목록 | 주사위 | 스토리 | 초 | "
    "전달됨 | 답장",
}
_TABLES = {
    language: dict(zip((*_MEDIA, *_MARKS), words.split(" | "), strict=True)) for language, words in _WORDS.items()
}
LANGUAGES = frozenset(_TABLES)
"""The languages that have words of their own, as ISO 639-1; others are written in English."""
_NAMES = "|".join(
    re.escape(name)
    for name in sorted({table[key] for table in _TABLES.values() for key in (*_MEDIA, "forwarded", "quoted")}, key=len)
)
_LENGTHS = "|".join(sorted({re.escape(table["seconds"]) for table in _TABLES.values()}))
WRITTEN = re.compile(rf"\[(?:{_NAMES})(?: (?:\d+ (?:{_LENGTHS})|(?:(?![\]\n])[\W\d_]){{1,16}}))?\]", re.IGNORECASE)
"""Whatever the functions below write, in any language, anywhere in a text; not kinds of media without words here."""


def placeholder(media: str, note: str | None = None, language: str = "en") -> str:
    """What stands for media: "[photo]", "[sticker 😂]", "[voice message 5 s]", "[голосовое 5 с]".

    Args:
        media: the kind as ingest names it; one that has no words here stands under its own name.
        note: a sticker's emoji, or a length as "5 s".
        language: ISO 639-1; one without words here is written in English.
    """
    words = _words(language)
    name = words[media] if media in _MEDIA else media.replace("_", " ")
    if note and (length := _SECONDS.fullmatch(note)):
        note = f"{length[1]} {words['seconds']}"
    elif note and any(sign.isalpha() for sign in note):
        note = None  # no emoji: words that nobody has looked through for secrets
    return f"[{name} {note}]" if note else f"[{name}]"


def forwarded(text: str, language: str = "en") -> str:
    """A forward: "[forwarded] text"."""
    return f"[{_words(language)['forwarded']}] {text}"


def quoted(text: str, language: str = "en") -> str:
    """An older message above the one that answers it: "[in reply to] text"."""
    return f"[{_words(language)['quoted']}] {text}"


def _words(language: str) -> dict[str, str]:
    return _TABLES.get(language) or _TABLES["en"]
