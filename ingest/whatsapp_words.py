"""What WhatsApp itself writes into its exports, in the languages it speaks: media left out, deletions, edits, calls.

Knows nothing of lines or of people. All of it is compared without case, full stops, angle brackets and invisible marks.
Where Android says only that there was some media, that is a `file`.
"""

from __future__ import annotations

import re

INVISIBLE = "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
_OMITTED = {
    "photo": "image omitted | Bild weggelassen | imagen omitida | image absente | immagine omessa | "
    "imagem ocultada | imagem não revelada | afbeelding weggelaten | изображение отсутствует | "
    "зображення відсутнє | obraz pominięty | görüntü dahil edilmedi | bild utesluten | "
    "bilde ikke inkludert | billede udeladt | ei kuvaa | obrázek vynechán | obrázok vynechaný | "
    "kép küldése sikertelen | imagine omisă | εικόνα παραλείφθηκε | התמונה הושמטה | "
    "لم يتم إدراج الصورة | الصورة غير مشمولة | تصویر حذف شد | तस्वीर छोड़ी गई | फ़ोटो हटाई गई | "
    "ছবি বাদ দেওয়া হয়েছে | gambar tidak disertakan | imej tidak dimasukkan | đã bỏ qua hình ảnh | "
    "ไม่มีรูปภาพ | 이미지 생략됨 | 画像は含まれていません | 画像は省略されました | 图片已省略 | "
    "照片已忽略 | 圖片已略去 | 圖片已省略 | 圖像已省略 | imatge omesa | slika izostavljena",
    "video_file": "video omitted | Video weggelassen | video omitido | vídeo omitido | vidéo absente | video omesso | "
    "vídeo não revelado | video weggelaten | видео отсутствует | відео відсутнє | wideo pominięte | "
    "video dahil edilmedi | video utesluten | video utelatt | video udeladt | videota ei sisällytetä | "
    "video vynecháno | video vynechané | videó kihagyva | clip video omis | βίντεο παραλείφθηκε | "
    "סרטון הווידאו הושמט | لم يتم إدراج الفيديوهات | الفيديو غير مشمول | ویدیو حذف شد | "
    "वीडियो छोड़ा गया | video tidak disertakan | video tidak dimasukkan | đã bỏ video | วิดีโอถูกลบ | "
    "비디오 생략됨 | 동영상 생략됨 | ビデオは含まれていません | 動画は省略されました | 视频已忽略 | "
    "视频已省略 | 影片已略去 | 影片已省略 | video izostavljen",
    "video_message": "video note omitted | Videonachricht weggelassen | nota de vídeo omitida | note vidéo absente",
    "voice_message": "audio omitted | Audio weggelassen | audio omitido | audio omis | audio absent | audio omesso | "
    "áudio ocultado | ficheiro de áudio não revelado | audio weggelaten | аудиофайл отсутствует | "
    "аудио отсутствует | аудіо відсутнє | audio pominięte | ses dahil edilmedi | ljud utelslutet | "
    "lyd utelatt | lyd udeladt | äänitiedostoa ei sisällytetä | zvukový soubor vynechán | "
    "zvuk vynechaný | hang kihagyása | fără audio | ήχος παραλείφθηκε | קטע קול הושמט | "
    "لم يتم إدراج المقاطع الصوتية | صدا حذف شد | ऑडियो हटाई गयी | audio tidak disertakan | "
    "audio tidak dimasukkan | bỏ qua tệp âm thanh | ไม่มีไฟล์เสียง | 오디오 생략됨 | "
    "音声は含まれていません | 音声メッセージは省略されました | 音频已忽略 | 音频已省略 | 音訊已略去 | "
    "音訊已省略 | 語音訊息已省略 | zvuk izostavljen",
    "sticker": "sticker omitted | Sticker weggelassen | sticker omitido | sticker omis | sticker absent | "
    "sticker non incluso | sticker omesso | figurinha omitida | sticker não revelado | "
    "sticker weggelaten | стикер не добавлен | стикер отсутствует | наклейку не додано | "
    "pominięto naklejkę | çıkartma dahil edilmedi | sticker utesluten | klistremerke utelatt | "
    "klistermærke udeladt | tarraa ei sisällytetty | nálepka vynechána | nálepka vynechaná | "
    "matrica kihagyva | αυτοκόλλητο παραλήφθηκε | סטיקר הושמט | تم حذف الملصقات | استیکر حذف شد | "
    "स्टिकर छोड़ा गया | stiker tidak disertakan | pelekat tidak disertakan | đã bỏ sticker | "
    "ไม่มีสติกเกอร์ | 스티커 제외됨 | 스티커 생략됨 | スタンプは含まれていません | "
    "スタンプは省略されました | 贴图已省略 | 貼圖已略去 | 貼圖已省略 | 貼圖已忽略",
    "animation": "GIF omitted | GIF weggelassen | GIF omitido | GIF omitida | GIF retiré | GIF absent | GIF esclusa | "
    "GIF omesso | GIF não revelada | GIF weggelaten | GIF отсутствует | GIF-анімацію пропущено | "
    "plik GIF pominięty | GIF dahil edilmedi | GIF utesluten | GIF utelatt | GIF udeladt | "
    "GIF-animaatio jätetty pois | GIF vynechán | GIF vynechaný | GIF fájl kihagyása | GIF omis | "
    "παράληψη GIF | GIF הושמט | لم يتم إدراج صورة GIF | GIF حذف شد | GIF छोड़ा गया | "
    "GIF tidak disertakan | GIF tidak dimasukkan | đã bỏ qua ảnh GIF | ละเว้น GIF | GIF 생략됨 | "
    "GIFは含まれていません | GIFは省略されました | GIF 动态图已被忽略 | GIF已省略 | GIF 已略去 | "
    "GIF 圖片已被省略",
    "contact": "contact card omitted | Kontaktkarte ausgelassen | Kontaktkarte weggelassen | "
    "tarjeta de contacto omitida | fiche contact manquante | scheda contatto omessa | "
    "cartão do contato omitido | contacto não revelado | visitekaartje weggelaten | "
    "карточка контакта отсутствует | контакт отсутствует | картка контакту відсутня | "
    "pominięta wizytówka kontaktu | kişi kartı dahil edilmedi | kontaktkort uteslutet | "
    "kontaktkort sløyfet | kontaktkort udeladt | vizitka vynechána | כרטיס איש קשר הושמט | "
    "لم يتم إدراج بطاقة جهة اتصال | برگ مخاطب حذف شد | कॉन्टैक्ट कार्ड छोड़ा गया | "
    "kartu kontak tidak disertakan | 연락처 카드 생략됨 | 連絡先カードを省略 | 联系人卡片已忽略 | "
    "聯絡人卡片已略去 | 聯絡人卡片已省略",
    "file": "document omitted | Dokument weggelassen | documento omitido | document manquant | document absent | "
    "documento omesso | documento não revelado | documento ocultado | document weggelaten | "
    "документ отсутствует | документ пропущено | dokument pominięty | belge dahil edilmedi | "
    "dokument uteslutet | utelatt dokument | dokument udeladt | dokumenttia ei sisällytetä | "
    "dokument vynechán | dokument vynechaný | dokumentum kihagyva | document omis | "
    "έγγραφο παραλείφθηκε | מסמך הושמט | لم يتم إدراج المستند | سند حذف شد | डॉक्यूमेंट छोड़ा गया | "
    "dokumen tidak disertakan | dokumen tidak dimasukkan | đã bỏ qua tài liệu | ละเว้นเอกสาร | "
    "문서 생략됨 | ドキュメントは含まれていません | 文書は省略されました | 文档已省略 | 文件已略去 | "
    "文件已省略 | Media omitted | Medien ausgeschlossen | Medien weggelassen | Multimedia omitido | "
    "Archivo omitido | Médias omis | Fichier omis | Media omesso | Media omessi | Mídia omitida | "
    "Arquivo de mídia oculto | Ficheiro não revelado | Media weggelaten | Без медиафайлов | "
    "Файл пропущен | Медіа пропущено | pliki pominięto | pominięto multimedia | Medya dahil edilmedi | "
    "Medya atlanmış | Media har utelämnats | Uten vedlegg | Mediefil udeladt | Media jätetty pois | "
    "Média vynechána | Médiá vynechané | Hiányzó médiafájl | Conținut media omis | Εξαίρεση πολυμέσων | "
    "המדיה לא נכללה | מדיה הושמטה | تم استبعاد الوسائط | پيوست نما/آهنگ حذف شد | मीडिया के बिना | "
    "মিডিয়া বাদ দেওয়া হয়েছে | Media tidak disertakan | Media disingkirkan | Bỏ qua Media | สื่อถูกลบ | "
    "미디어 파일을 생략한 대화내용 | 미디어 파일 제외됨 | メディアは含まれていません | メディアなし | "
    "省略多媒体文件 | 媒体省略 | 忽略多媒體檔 | 省略多媒體檔案 | Mitjans omesos | "
    "Medijski zapis izostavljen | Без файл",
    "location": "live location shared | Live-Standort wird geteilt | ubicación en tiempo real compartida | "
    "localisation en direct partagée | posizione attuale condivisa | localização atual compartilhada | "
    "live locatie gedeeld | геоданные отправлены | mevcut konum paylaşıldı | "
    "udostępniona transmisja położenia | 공유한 실시간 위치 | ライブロケーション共有 | 共享实时位置 | "
    "實時位置已分享",
}
_DELETED = (
    "This message was deleted | You deleted this message | This message has been deleted | "
    "Diese Nachricht wurde gelöscht | Du hast diese Nachricht gelöscht | Se eliminó este mensaje | "
    "Eliminaste este mensaje | Este mensaje fue eliminado | Has eliminado este mensaje | "
    "Ce message a été supprimé | Vous avez supprimé ce message | Questo messaggio è stato eliminato | "
    "Hai eliminato questo messaggio | Mensagem apagada | Você apagou esta mensagem | "
    "Essa mensagem foi apagada | Esta mensagem foi apagada | Apagou esta mensagem | "
    "Dit bericht is verwijderd | Je hebt dit bericht verwijderd | U hebt dit bericht verwijderd | "
    "Данное сообщение удалено | Это сообщение удалено | Это сообщение было удалено | "
    "Вы удалили данное сообщение | Вы удалили это сообщение | Це повідомлення видалено | "
    "Ви видалили це повідомлення | Ta wiadomość została usunięta | Usunięto tę wiadomość | "
    "Bu mesaj silindi | Bu mesajı sildiniz | Det här meddelandet togs bort | "
    "Du tog bort det här meddelandet | Denne beskjeden ble slettet | Denne besked er blevet slettet | "
    "Tämä viesti poistettiin | Tato zpráva byla odstraněna | Táto správa bola vymazaná | "
    "Ez az üzenet törölve lett | Acest mesaj a fost șters | Αυτό το μήνυμα διαγράφηκε | הודעה זו נמחקה | "
    "מחקת הודעה זו | تم حذف هذه الرسالة | حذفت هذه الرسالة | این پیام حذف شد | यह मैसेज हटा दिया गया | "
    "यह संदेश हटा दिया गया | Pesan ini telah dihapus | Anda telah menghapus pesan ini | "
    "Tin nhắn này đã bị xóa | ข้อความนี้ถูกลบแล้ว | 삭제된 메시지입니다 | このメッセージは削除されました | "
    "あなたはこのメッセージを削除しました | 此消息已删除 | 您已删除此消息 | 此訊息已刪除 | 您已刪除此訊息"
)
_EDITED = (
    "This message was edited | Diese Nachricht wurde bearbeitet | Se editó este mensaje | "
    "Este mensaje fue editado | Este mensaje ha sido editado | Ce message a été modifié | "
    "Message modifié | Questo messaggio è stato modificato | Mensagem editada | "
    "Esta mensagem foi editada | Dit bericht is bewerkt | Это сообщение изменено | "
    "Данное сообщение изменено | Це повідомлення змінено | Ta wiadomość została zmieniona | "
    "Tę wiadomość edytowano | Bu mesaj düzenlendi | Det här meddelandet har redigerats | ההודעה נערכה | "
    "تم تعديل هذه الرسالة | این پیام ویرایش شد | यह मैसेज एडिट किया गया | Pesan ini diedit | "
    "Tin nhắn này đã được chỉnh sửa | 이 메시지가 수정되었습니다 | このメッセージは編集されました | "
    "此消息已编辑 | 此訊息已編輯"
)
_CALLS = (
    "Missed voice call | Missed video call | Missed group voice call | Missed group video call | "
    "Verpasster Sprachanruf | Verpasster Videoanruf | Llamada perdida | Llamada de voz perdida | "
    "Videollamada perdida | Appel vocal manqué | Appel vidéo manqué | Chiamata vocale persa | "
    "Chiamata persa | Videochiamata persa | Chamada de voz perdida | Chamada de vídeo perdida | "
    "Gemiste spraakoproep | Gemiste video-oproep | Пропущенный голосовой вызов | "
    "Пропущенный аудиозвонок | Пропущенный звонок | Пропущенный видеозвонок | "
    "Пропущений голосовий дзвінок | Пропущений відеодзвінок | Nieodebrane połączenie głosowe | "
    "Cevapsız sesli arama | Cevapsız görüntülü arama | Panggilan suara tak terjawab | "
    "Panggilan video tak terjawab | 부재중 음성통화 | 부재중 영상통화 | 不在着信 | "
    "ビデオ通話の不在着信 | 未接语音通话 | 未接视频通话 | 未接語音通話 | 未接視像通話"
)
_ATTACHED = (
    "file attached | Datei angehängt | archivo adjunto | fichier joint | file allegato | "
    "arquivo anexado | ficheiro anexado | bestand bijgevoegd | файл добавлен | файл додано | "
    "plik załączony | dosya ekli | bifogad fil | fil vedlagt | tiedosto liitetty | soubor byl přiložen | "
    "súbor pripojený | fájl csatolva | קובץ מצורף | ملف مرفق | फ़ाइल अटैच की गई | file terlampir | "
    "파일 첨부됨 | 添付ファイル | 文件附件 | 附件檔案"
)
_CHAT_WITH = (
    "WhatsApp Chat with | WhatsApp Chat - | WhatsApp-Chat mit | WhatsApp Chat mit | "
    "Chat de WhatsApp con | Chat WhatsApp con | Conversa do WhatsApp com | Conversa no WhatsApp com | "
    "Discussion WhatsApp avec | WhatsApp-chat met | Чат WhatsApp с | Чат WhatsApp з | "
    "Czat WhatsApp z użytkownikiem | WhatsApp-chatt med | WhatsApp-chat med | Chat WhatsApp dengan"
)
_BEFORE_NOON = "am | a | 上午 | 凌晨 | 清晨 | 早上 | 午前 | 오전 | ص | ق.ظ | पूर्वाह्न | π.μ | öö | sa | pg | дп | de"
_AFTER_NOON = "pm | p | 下午 | 傍晚 | 晚上 | 午後 | 오후 | م | ب.ظ | अपराह्न | μ.μ | ös | ch | ptg | пп | du"

_UNSAID = re.compile(rf"[<>.{INVISIBLE}]")


def fold(text: str) -> str:
    """Without what differs between versions: case, full stops, angle brackets, kinds of space, invisible marks."""
    return " ".join(_UNSAID.sub("", text).split()).casefold()


def _phrases(words: str) -> frozenset[str]:
    return frozenset(fold(phrase) for phrase in words.split(" | "))


OMITTED = {phrase: kind for kind, words in _OMITTED.items() for phrase in _phrases(words)}
"""Phrase -> kind of media, for messages that are nothing but media left out."""
DELETED, EDITED, CALLS, ATTACHED = _phrases(_DELETED), _phrases(_EDITED), _phrases(_CALLS), _phrases(_ATTACHED)
BEFORE_NOON, AFTER_NOON = _phrases(_BEFORE_NOON), _phrases(_AFTER_NOON)
NOON = "中午"
CHAT_WITH = tuple(_CHAT_WITH.split(" | "))
"""How the names of exported files begin, before the other person's name."""
